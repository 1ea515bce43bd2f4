//! Who is whose friend, who asked, and who blocks whom.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::{Part, SignedIn};
use crate::{Done, Timestamp, UserId, events, facts, message, service, user};

service! {
    /// Who is whose friend, who asked, and who blocks whom.
    Friend = "friend" version 1,
    calls: [user::Lookup, message::SetGate],
    hears: [user::PresenceChanged],
    delivers: [Users];

    /// Asks a user to become friends. If that user has asked already, this accepts.
    "request": Request => Requested { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Accepts what a user asked.
    "accept": Accept => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Declines what a user asked, or takes back what one asked oneself.
    "decline": Decline => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a friendship.
    "remove": Remove => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a friendship or request, and refuses every further one from that user. The user isn't told.
    "block": Block => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes a block back; it makes nobody a friend again.
    "unblock": Unblock => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// One's friends, by name.
    "list": ListFriends => Friends { by: SignedIn, on: [Client, Internal], repeat: Read, deadline_ms: 5_000 }

    /// Requests that wait for an answer, and the users one blocks.
    "requests": ListRequests => Requests { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Whether two users may write to each other.
    "gate": GetGate => Gate { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Keeps a user from asking others until a moment, or lets the user again.
    "set_silence": SetSilence => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Removes everything about a deleted user, and tells the friends.
    "forget_user": ForgetUser => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }
}

/// See [`Friend`]'s `request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Whom to ask.
    pub user: UserId,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Requested {
    /// Whether the two are friends now, because the other one had asked before.
    pub friends: bool,
}

/// See [`Friend`]'s `accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// Who asked.
    pub user: UserId,
}

/// See [`Friend`]'s `decline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// Who asked, or was asked.
    pub user: UserId,
}

/// See [`Friend`]'s `remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Which friend.
    pub user: UserId,
}

/// See [`Friend`]'s `block`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Whom.
    pub user: UserId,
}

/// See [`Friend`]'s `unblock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    /// Whom.
    pub user: UserId,
}

/// See [`Friend`]'s `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListFriends {}

/// One's friends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Friends {
    /// Each friend, by name.
    pub friends: Vec<FriendEntry>,
}

/// One friend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct FriendEntry {
    /// The friend.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Whether a session of the friend is open now.
    pub online: bool,
    /// Since when the two are friends.
    pub since: Timestamp,
}

/// See [`Friend`]'s `requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListRequests {}

/// Requests that wait for an answer, and blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Requests {
    /// Who asked oneself, oldest first.
    pub incoming: Vec<RequestEntry>,
    /// Whom one asked, oldest first.
    pub outgoing: Vec<RequestEntry>,
    /// Whom one blocks, oldest first.
    pub blocked: Vec<RequestEntry>,
}

/// One request, or one block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RequestEntry {
    /// The other one.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Since when.
    pub since: Timestamp,
}

/// See [`Friend`]'s `gate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetGate {
    /// One.
    pub a: UserId,
    /// The other.
    pub b: UserId,
}

/// Whether two users may write to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Gate {
    /// Whether they are friends.
    pub open: bool,
    /// Grows with each change of the two users' relation, so that an old answer can't undo a new one. 0: they never had one.
    pub version: u64,
}

/// See [`Friend`]'s `set_silence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetSilence {
    /// Whom.
    pub user: UserId,
    /// Until when; none lets the user again.
    pub until: Option<Timestamp>,
    /// Grows with each mute, of whomever: one that comes late doesn't undo a newer one of the same user.
    pub version: u64,
}

/// See [`Friend`]'s `forget_user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ForgetUser {
    /// Who is gone.
    pub user: UserId,
}

/// A user asked oneself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RequestedEvent {
    /// Who asked.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// What others see.
    pub display_name: String,
}

/// Two became friends; both are told, each about the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AcceptedEvent {
    /// The new friend.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Whether a session of the friend is open now.
    pub online: bool,
}

/// A friendship ended, or a request was declined or taken back; both are told, each about the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RemovedEvent {
    /// The other one.
    pub user: UserId,
}

/// A friend came online or went offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PresenceEvent {
    /// The friend.
    pub user: UserId,
    /// Whether a session of the friend is open now.
    pub online: bool,
}

events! {
    "friend.requested": RequestedEvent,
    "friend.accepted": AcceptedEvent,
    "friend.removed": RemovedEvent,
    "friend.presence": PresenceEvent,
}

facts! { Friend {} }
