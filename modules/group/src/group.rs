//! What a group is, and what a user is to it. What a method may make of them is in the method's file.

use broker_schemas::group::{Admission, Announcement, Visible};
use broker_schemas::rights::{Role, Standing};
use broker_schemas::{Error, GroupId, Timestamp, UserId};

use crate::Checked;

/// A group at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) admission: Admission,
    pub(crate) visible: Visible,
    /// Counts the changes of which the message module is told.
    pub(crate) version: u64,
    pub(crate) members: u32,
    /// Until when plain members can't write; may have passed.
    pub(crate) muted_until: Option<Timestamp>,
    pub(crate) announcement: Option<Announcement>,
    /// Who passed the group on last, and to whom.
    pub(crate) passed_on: Option<(UserId, UserId)>,
    pub(crate) dissolved_at: Option<Timestamp>,
}

/// What a user is to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Being {
    Member(Membership),
    /// Asks to join.
    Asking,
    /// Kept out.
    Blocked,
    Stranger,
}

/// What a member is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) role: Role,
    /// Until when the member was muted alone; may have passed.
    pub(crate) muted_until: Option<Timestamp>,
    pub(crate) since: Timestamp,
}

impl Being {
    pub(crate) const fn role(self) -> Option<Role> {
        match self {
            Self::Member(membership) => Some(membership.role),
            Self::Asking | Self::Blocked | Self::Stranger => None,
        }
    }

    /// The column of the table of rights.
    pub(crate) fn standing(self, group: &Group, now: Timestamp) -> Standing {
        match self {
            Self::Member(membership) => match membership.role {
                Role::Owner => Standing::Owner,
                Role::Administrator => Standing::Administrator,
                Role::Member if membership.cannot_write_until(group, now).is_some() => Standing::Muted,
                Role::Member => Standing::Member,
            },
            Self::Asking | Self::Stranger => Standing::Stranger,
            Self::Blocked => Standing::Blocked,
        }
    }
}

impl Membership {
    /// Until when the member can't write, alone or with every plain member; `None` when they can.
    pub(crate) fn cannot_write_until(&self, group: &Group, now: Timestamp) -> Option<Timestamp> {
        match self.role {
            Role::Member => in_force(self.muted_until, now).max(in_force(group.muted_until, now)),
            Role::Administrator | Role::Owner => None,
        }
    }
}

/// A mute, unless it has ended.
pub(crate) fn in_force(until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    until.filter(|until| *until > now)
}

/// Whether a member with the role `mine` may put out, mute, or give another role to one with the role `theirs`.
///
/// # Errors
/// Nobody acts on the owner, and an administrator not on another one.
pub(crate) fn check_rank(mine: Option<Role>, theirs: Role) -> Checked<()> {
    match (mine, theirs) {
        (_, Role::Owner) => Err(Error::forbidden("user: nobody may do this to the owner of a group")),
        (Some(Role::Owner), _) | (Some(Role::Administrator), Role::Member) => Ok(()),
        (Some(Role::Administrator), Role::Administrator) => {
            Err(Error::forbidden("user: only the owner may do this to an administrator"))
        }
        (Some(Role::Member) | None, _) => {
            Err(Error::forbidden("only the owner and the administrators may do this"))
        }
    }
}

/// # Errors
/// `user` is who calls.
pub(crate) fn check_other(caller: UserId, user: UserId) -> Checked<()> {
    if caller == user { Err(Error::invalid("user: expected another user")) } else { Ok(()) }
}

/// The refusal of a `user` who would have to be a member.
pub(crate) fn not_a_member() -> Error {
    Error::not_found("user: they are no member of this group")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const EARLIER: Timestamp = Timestamp(1_000);
    pub(crate) const NOW: Timestamp = Timestamp(2_000);
    pub(crate) const LATER: Timestamp = Timestamp(3_000);

    pub(crate) fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    pub(crate) fn a_group(admission: Admission) -> Group {
        Group {
            id: GroupId::new(9).unwrap(),
            name: "Friends of Ada".into(),
            admission,
            visible: Visible::FromJoining,
            version: 3,
            members: 4,
            muted_until: None,
            announcement: None,
            passed_on: None,
            dissolved_at: None,
        }
    }

    pub(crate) fn member(role: Role) -> Being {
        Being::Member(Membership { role, muted_until: None, since: EARLIER })
    }

    #[test]
    fn only_plain_members_are_muted_and_only_for_as_long_as_it_was_said() {
        let muted =
            |role, until| Being::Member(Membership { role, muted_until: Some(until), since: EARLIER });
        let everybody = Group { muted_until: Some(LATER), ..a_group(Admission::Open) };
        let nobody = a_group(Admission::Open);
        let cases = [
            (muted(Role::Member, LATER), &nobody, Standing::Muted),
            (muted(Role::Member, NOW), &nobody, Standing::Member),
            (muted(Role::Member, EARLIER), &everybody, Standing::Muted),
            (member(Role::Member), &everybody, Standing::Muted),
            (member(Role::Member), &nobody, Standing::Member),
            (muted(Role::Administrator, LATER), &everybody, Standing::Administrator),
            (muted(Role::Owner, LATER), &everybody, Standing::Owner),
            (Being::Asking, &everybody, Standing::Stranger),
            (Being::Blocked, &everybody, Standing::Blocked),
        ];
        for (being, group, standing) in cases {
            assert_eq!(being.standing(group, NOW), standing, "{being:?}");
        }
    }

    #[test]
    fn the_longer_of_two_mutes_counts() {
        let membership = |until| Membership { role: Role::Member, muted_until: until, since: EARLIER };
        let group = |until| Group { muted_until: until, ..a_group(Admission::Open) };
        let latest = Timestamp(LATER.0 + 1);
        for (alone, everybody, expected) in [
            (Some(LATER), Some(latest), Some(latest)),
            (Some(latest), Some(LATER), Some(latest)),
            (None, Some(LATER), Some(LATER)),
            (Some(LATER), Some(EARLIER), Some(LATER)),
            (Some(NOW), None, None),
        ] {
            assert_eq!(membership(alone).cannot_write_until(&group(everybody), NOW), expected);
        }
    }

    #[test]
    fn nobody_acts_on_the_owner_and_an_administrator_not_on_another() {
        for mine in [Role::Owner, Role::Administrator, Role::Member] {
            for theirs in [Role::Owner, Role::Administrator, Role::Member] {
                let may = check_rank(Some(mine), theirs).is_ok();
                assert_eq!(may, mine > theirs && mine > Role::Member, "{mine:?} on {theirs:?}");
            }
        }
    }
}
