//! What somebody does in a plan, and the call that it is.

use std::fmt;

use broker_schemas::group::{Admission, Visible};
use broker_schemas::rights::Role;
use serde_json::{Value, json};

use crate::Random;

/// Users and groups go by their numbers in the plan: users from the first one, groups in the order in which they are made. A
/// group that isn't made (yet) is one that doesn't exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The conversation with a user.
    With(usize),
    /// The conversation of a group.
    In(usize),
}

/// What somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a method of the contract")]
pub enum Action {
    Request(usize),
    Accept(usize),
    DeclineFriend(usize),
    Remove(usize),
    Block(usize),
    Unblock(usize),
    Create { members: Vec<usize>, admission: Admission, visible: Visible },
    Group(usize, InGroup),
    Send { place: Place, quote: Option<u64>, text: String },
    Edit { place: Place, seq: u64, text: String },
    Recall { place: Place, seq: u64 },
    React { place: Place, seq: u64, reaction: &'static str, remove: bool },
    Read { place: Place, seq: u64 },
}

/// What somebody does in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a method of the contract")]
pub enum InGroup {
    Join,
    Leave,
    Dissolve,
    Invite(usize),
    Approve(usize),
    Decline(usize),
    Kick(usize, bool),
    Unblock(usize),
    Transfer(usize),
    SetRole(usize, Role),
    Mute(Option<usize>, bool),
    Announce(&'static str),
    Rename(&'static str),
    Configure(Option<Admission>, Option<Visible>),
}

impl InGroup {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Join => "group.join",
            Self::Leave => "group.leave",
            Self::Dissolve => "group.dissolve",
            Self::Invite(_) => "group.invite",
            Self::Approve(_) => "group.approve",
            Self::Decline(_) => "group.decline",
            Self::Kick(..) => "group.kick",
            Self::Unblock(_) => "group.unblock",
            Self::Transfer(_) => "group.transfer",
            Self::SetRole(..) => "group.set_role",
            Self::Mute(..) => "group.mute",
            Self::Announce(_) => "group.announce",
            Self::Rename(_) => "group.rename",
            Self::Configure(..) => "group.configure",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With(user) => write!(f, "with {user}"),
            Self::In(group) => write!(f, "in group {group}"),
        }
    }
}

/// Mutes last until a moment that no test sees.
const LONG: i64 = 4_102_444_800_000;
/// No group has this number.
const NOWHERE: u64 = 999_999_999;

/// What the users and groups of a plan are called in the system.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Ids of the users.
    pub users: Vec<u64>,
    /// Ids of the groups.
    pub groups: Vec<u64>,
}

impl Names {
    /// The id of a group of the plan, or one that doesn't exist.
    #[must_use]
    pub fn group(&self, group: usize) -> u64 {
        self.groups.get(group).copied().unwrap_or(NOWHERE)
    }

    /// How the system writes a conversation of `user`.
    #[must_use]
    pub fn conversation(&self, user: usize, place: Place) -> String {
        match place {
            Place::In(group) => format!("g{}", self.group(group)),
            Place::With(other) => {
                let (a, b) = (self.users[user], self.users[other]);
                format!("u{}-u{}", a.min(b), a.max(b))
            }
        }
    }

    /// The call that `user` makes.
    #[must_use]
    pub fn request(&self, user: usize, action: &Action, client_id: uuid::Uuid) -> (&'static str, Value) {
        let id = |other: usize| json!({"user": self.users[other]});
        let there = |place: Place| self.conversation(user, place);
        match action {
            Action::Request(other) => ("friend.request", id(*other)),
            Action::Accept(other) => ("friend.accept", id(*other)),
            Action::DeclineFriend(other) => ("friend.decline", id(*other)),
            Action::Remove(other) => ("friend.remove", id(*other)),
            Action::Block(other) => ("friend.block", id(*other)),
            Action::Unblock(other) => ("friend.unblock", id(*other)),
            Action::Create { members, admission, visible } => {
                let members: Vec<_> = members.iter().map(|member| self.users[*member]).collect();
                let body =
                    json!({"name": "group", "members": members, "admission": admission, "visible": visible});
                ("group.create", body)
            }
            Action::Group(group, what) => (what.method(), self.in_group(*group, what)),
            Action::Send { place, quote, text } => {
                let to = match place {
                    Place::With(other) => json!({"user": self.users[*other]}),
                    Place::In(group) => json!({"group": self.group(*group)}),
                };
                ("message.send", json!({"to": to, "client_id": client_id, "text": text, "quote": quote}))
            }
            Action::Edit { place, seq, text } => {
                ("message.edit", json!({"conversation": there(*place), "seq": seq, "text": text}))
            }
            Action::Recall { place, seq } => {
                ("message.recall", json!({"conversation": there(*place), "seq": seq}))
            }
            Action::React { place, seq, reaction, remove } => {
                let at = there(*place);
                (
                    "message.react",
                    json!({"conversation": at, "seq": seq, "reaction": reaction, "remove": remove}),
                )
            }
            Action::Read { place, seq } => {
                ("message.read", json!({"conversation": there(*place), "seq": seq}))
            }
        }
    }

    fn in_group(&self, group: usize, what: &InGroup) -> Value {
        let mut body = match what {
            InGroup::Join | InGroup::Leave | InGroup::Dissolve => json!({}),
            InGroup::Invite(other)
            | InGroup::Approve(other)
            | InGroup::Decline(other)
            | InGroup::Unblock(other)
            | InGroup::Transfer(other) => json!({"user": self.users[*other]}),
            InGroup::Kick(other, block) => json!({"user": self.users[*other], "block": block}),
            InGroup::SetRole(other, role) => json!({"user": self.users[*other], "role": role}),
            InGroup::Mute(other, mute) => {
                json!({"user": other.map(|other| self.users[other]), "until": mute.then_some(LONG)})
            }
            InGroup::Announce(text) => json!({"text": text}),
            InGroup::Rename(name) => json!({"name": name}),
            InGroup::Configure(admission, visible) => json!({"admission": admission, "visible": visible}),
        };
        body["group"] = self.group(group).into();
        body
    }
}

/// Chooses what somebody does.
pub(super) struct Chooser<'a> {
    pub(super) random: &'a mut Random,
    pub(super) users: usize,
    pub(super) groups: usize,
}

impl Chooser<'_> {
    fn number(&mut self, below: usize) -> usize {
        usize::try_from(self.random.below(below as u64)).unwrap()
    }

    pub(super) fn user(&mut self) -> usize {
        self.number(self.users)
    }

    pub(super) fn other_than(&mut self, user: usize) -> usize {
        (user + 1 + self.number(self.users - 1)) % self.users
    }

    fn admission(&mut self) -> Admission {
        *self.random.pick(&[Admission::Open, Admission::Approval, Admission::Invitation])
    }

    fn visible(&mut self) -> Visible {
        *self.random.pick(&[Visible::FromJoining, Visible::Everything])
    }

    fn place(&mut self, user: usize) -> Place {
        if self.random.once_in(3) {
            Place::With(self.other_than(user))
        } else {
            Place::In(self.number(self.groups))
        }
    }

    pub(super) fn action(&mut self, user: usize) -> Action {
        let other = self.other_than(user);
        match self.number(100) {
            0..5 => Action::Request(other),
            5..9 => Action::Accept(other),
            9 => Action::DeclineFriend(other),
            10 => Action::Remove(other),
            11 => Action::Block(other),
            12..14 => Action::Unblock(other),
            14 => self.create(user),
            15..52 => {
                let group = self.number(self.groups);
                Action::Group(group, self.in_group(other))
            }
            52..78 => self.send(user),
            _ => self.change(user),
        }
    }

    pub(super) fn create(&mut self, user: usize) -> Action {
        let members = (0..self.users).filter(|member| *member != user && self.random.once_in(2)).collect();
        Action::Create { members, admission: self.admission(), visible: self.visible() }
    }

    fn send(&mut self, user: usize) -> Action {
        let quote = if self.random.once_in(4) { Some(self.seq()) } else { None };
        Action::Send { place: self.place(user), quote, text: self.text() }
    }

    fn change(&mut self, user: usize) -> Action {
        let (place, seq) = (self.place(user), self.seq());
        match self.number(5) {
            0 => Action::Edit { place, seq, text: self.text() },
            1 => Action::Recall { place, seq },
            2 | 3 => {
                let reaction = *self.random.pick(&["👍", "🎉"]);
                Action::React { place, seq, reaction, remove: self.random.once_in(3) }
            }
            _ => Action::Read { place, seq },
        }
    }

    fn in_group(&mut self, other: usize) -> InGroup {
        match self.number(24) {
            0..4 => InGroup::Join,
            4 | 5 => InGroup::Leave,
            6 if self.random.once_in(4) => InGroup::Dissolve,
            6..9 => InGroup::Invite(other),
            9..11 => InGroup::Approve(other),
            11 => InGroup::Decline(other),
            12..14 => InGroup::Kick(other, self.random.once_in(3)),
            14 => InGroup::Unblock(other),
            15 => InGroup::Transfer(other),
            16..18 => InGroup::SetRole(other, *self.random.pick(&[Role::Administrator, Role::Member])),
            18 | 19 => {
                let whom = if self.random.once_in(3) { None } else { Some(other) };
                InGroup::Mute(whom, self.random.once_in(2))
            }
            20 => InGroup::Announce(self.random.pick::<&str>(&["", "hear", "see"])),
            21 => InGroup::Rename(self.random.pick::<&str>(&["group", "band"])),
            _ => {
                let admission = if self.random.once_in(3) { None } else { Some(self.admission()) };
                InGroup::Configure(
                    admission,
                    if self.random.once_in(2) { None } else { Some(self.visible()) },
                )
            }
        }
    }

    /// Few, so that changes meet each other.
    fn seq(&mut self) -> u64 {
        1 + self.random.below(12)
    }

    fn text(&mut self) -> String {
        format!("text {}", self.random.below(4))
    }
}
