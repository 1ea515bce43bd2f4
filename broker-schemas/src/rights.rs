//! Who may do what in a group: one table. The group module decides by it, the message module's `access.rs` agrees with it,
//! `docs/PROTOCOL.md` shows it, and a test tries every method as everybody.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// What a member is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and writes.
    Member,
    /// Also takes in, puts out, mutes and announces; not against the owner or another administrator.
    Administrator,
    /// Also names administrators, passes the group on, and dissolves it. Every group has one.
    Owner,
}

/// What a user is to a group. Who was a member once is a stranger again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Its owner.
    Owner,
    /// One of its administrators.
    Administrator,
    /// A plain member.
    Member,
    /// A plain member who can't write at the moment.
    Muted,
    /// Not a member.
    Stranger,
    /// Not a member, and kept out.
    Blocked,
}

impl Standing {
    /// Every standing, in the order of the table's columns.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Administrator, Self::Member, Self::Muted, Self::Stranger, Self::Blocked];

    /// The column's heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::Member => "member",
            Self::Muted => "muted",
            Self::Stranger => "stranger",
            Self::Blocked => "blocked",
        }
    }
}

/// What the table says about a method and a standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// May, as far as other rules allow.
    May,
    /// May if the group is open, see [`crate::group::Admission`].
    MayIfOpen,
    /// May if the group is open; may ask where members are taken by approval.
    MayJoin,
    /// May see it where one can join or ask to.
    MayIfListed,
    /// Is refused as `forbidden`.
    Forbidden,
    /// Is told `not_found`, and learns nothing.
    NotFound,
    /// Is answered, and nothing happens: it is so already.
    Nothing,
}

impl Verdict {
    /// The cell of the table in the documentation.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::May => "yes",
            Self::MayIfOpen => "if open",
            Self::MayJoin => "if open; asks if by approval",
            Self::MayIfListed => "unless by invitation",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not found",
            Self::Nothing => "nothing to do",
        }
    }
}

/// A row: `service.method`, and a verdict for each of [`Standing::ALL`].
pub type Right = (&'static str, [Verdict; 6]);

/// The table. Methods that aren't about one group have no row; [`APART`] lists them.
///
/// Beside it, nobody acts on the owner, and an administrator not on another one: `kick`, `mute`, `set_role`.
pub const RIGHTS: &[Right] = {
    use Verdict::{Forbidden, May, MayIfListed, MayIfOpen, MayJoin, NotFound, Nothing};
    const MEMBERS: [Verdict; 6] = [May, May, May, May, NotFound, NotFound];
    const WRITERS: [Verdict; 6] = [May, May, May, Forbidden, NotFound, NotFound];
    const ADMINISTRATORS: [Verdict; 6] = [May, May, Forbidden, Forbidden, NotFound, NotFound];
    const OWNER: [Verdict; 6] = [May, Forbidden, Forbidden, Forbidden, NotFound, NotFound];
    &[
        ("group.join", [Nothing, Nothing, Nothing, Nothing, MayJoin, NotFound]),
        ("group.leave", [Forbidden, May, May, May, Nothing, Nothing]),
        ("group.invite", [May, May, MayIfOpen, MayIfOpen, NotFound, NotFound]),
        ("group.approve", ADMINISTRATORS),
        ("group.decline", ADMINISTRATORS),
        ("group.kick", ADMINISTRATORS),
        ("group.unblock", ADMINISTRATORS),
        ("group.dissolve", OWNER),
        ("group.transfer", OWNER),
        ("group.set_role", OWNER),
        ("group.mute", ADMINISTRATORS),
        ("group.announce", ADMINISTRATORS),
        ("group.rename", ADMINISTRATORS),
        ("group.configure", ADMINISTRATORS),
        ("group.profile", [May, May, May, May, MayIfListed, NotFound]),
        ("group.members", MEMBERS),
        ("group.requests", ADMINISTRATORS),
        ("message.send", WRITERS),
        ("message.history", MEMBERS),
        ("message.read", MEMBERS),
        ("message.readers", MEMBERS),
        ("message.typing", WRITERS),
        ("message.edit", WRITERS),
        ("message.recall", MEMBERS),
        ("message.react", WRITERS),
        ("message.received", MEMBERS),
        ("message.report", MEMBERS),
    ]
};

/// Client methods of the group and message services that aren't about one group: every signed-in user may call them, about
/// what is their own.
pub const APART: &[&str] = &[
    "group.create",
    "group.list",
    "message.sync",
    "message.conversations",
    "message.unread",
    "message.search",
];

/// What the table says about `method`, written `service.method`. `None` for a method without a row.
#[must_use]
pub fn verdict(method: &str, standing: Standing) -> Option<Verdict> {
    let (_, verdicts) = RIGHTS.iter().find(|(name, _)| *name == method)?;
    let column = Standing::ALL.iter().position(|other| *other == standing)?;
    verdicts.get(column).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exposure, group, message};

    #[test]
    fn every_client_method_about_groups_and_messages_has_a_row_or_is_apart() {
        let methods =
            [&group::Group::SPEC, &message::Message::SPEC].into_iter().flat_map(|service| service.methods);
        for method in methods.filter(|method| method.exposures.contains(&Exposure::Client)) {
            let name = format!("{}.{}", method.service, method.name);
            let rows = RIGHTS.iter().filter(|(row, _)| *row == name).count();
            let apart = APART.iter().filter(|row| **row == name).count();
            assert_eq!(rows + apart, 1, "{name} needs one row in RIGHTS, or a place in APART");
        }
    }
}
