//! Conversations: sending, history, what was missed, what was read.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::caller::{Part, SignedIn};
use crate::{Conversation, Done, GroupId, Map, Seq, Text, Timestamp, UserId, events, facts, friend, service};

/// The longest text of a message, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 16 * 1024;
/// The most messages in one answer.
pub const PAGE_MAX: u32 = 200;
/// How many messages an answer has when the request doesn't say.
pub const PAGE_DEFAULT: u32 = 50;
/// An answer ends early once its texts exceed this many bytes.
pub const PAGE_BYTES: usize = 64 * 1024;
/// How many conversations one [`Sync`] may name.
pub const SYNC_MAX: usize = 1_024;

service! {
    /// Conversations: sending, history, what was missed, what was read.
    Message = "message" version 1,
    calls: [friend::GetGate],
    hears: [];

    /// Sends a text. Answered once the message is stored for good; the same `client_id` again gets the first answer.
    "send": Send => Sent { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of a conversation, going back from `before` or from its end.
    "history": History => Messages { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// What one doesn't have yet, of all one's conversations.
    "sync": Sync => Missed { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Says up to where one has read a conversation. The cursor only moves forward.
    "read": Read => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// One's conversations, the one with the newest message first.
    "conversations": ListConversations => Conversations { by: SignedIn, on: [Client, Internal], repeat: Read, deadline_ms: 5_000 }

    /// Opens or closes the conversation of two users. Answered once every later send sees it.
    "set_gate": SetGate => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Closes a deleted user's conversations and tells the other sides. Their history stays theirs.
    "forget_user": ForgetUser => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }
}

/// To whom a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A friend.
    User(UserId),
    /// A group that one is a member of.
    Group(GroupId),
}

/// See [`Message`]'s `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// To whom.
    pub to: Recipient,
    /// Made by the client, once per message: with it a send can be repeated until it is answered.
    pub client_id: Uuid,
    /// 1 byte to 16 KiB.
    pub text: Text<TEXT_BYTES>,
}

/// A message that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Sent {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
    /// When it was stored, by the server's clock.
    pub sent_at: Timestamp,
}

/// See [`Message`]'s `history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Which conversation.
    pub conversation: Conversation,
    /// Only messages before this one; from the end when absent.
    pub before: Option<Seq>,
    /// At most this many, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Messages {
    /// The messages, newest last.
    pub messages: Vec<Entry>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Entry {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
    /// Who sent it.
    pub from: UserId,
    /// What the sender's client called it.
    pub client_id: Uuid,
    /// What it says.
    pub text: String,
    /// When it was stored, by the server's clock.
    pub sent_at: Timestamp,
}

/// See [`Message`]'s `sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// Of each conversation, the last place up to which the client has everything; 0 for nothing. A conversation that
    /// isn't named counts from where the user has read.
    pub have: Map<Conversation, u64, SYNC_MAX>,
}

/// What the client doesn't have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Missed {
    /// The messages; within each conversation in order and without gaps.
    pub messages: Vec<Entry>,
    /// There is more: ask again with what you have then.
    pub more: bool,
}

/// See [`Message`]'s `read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Which conversation.
    pub conversation: Conversation,
    /// The last message that was read.
    pub seq: Seq,
}

/// See [`Message`]'s `conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListConversations {}

/// One's conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Conversations {
    /// The one with the newest message first; at most 1,024.
    pub conversations: Vec<ConversationEntry>,
}

/// One conversation, as one of its members sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ConversationEntry {
    /// Which.
    pub conversation: Conversation,
    /// The place of the last message; 0 when there is none.
    pub last_seq: u64,
    /// Up to where the user has read; 0 for nothing.
    pub read_seq: u64,
}

/// See [`Message`]'s `set_gate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetGate {
    /// One.
    pub a: UserId,
    /// The other.
    pub b: UserId,
    /// What holds now. An older version than the one already known changes nothing.
    pub gate: friend::Gate,
}

/// See [`Message`]'s `forget_user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ForgetUser {
    /// Who is gone.
    pub user: UserId,
}

/// A message was stored; every session of everyone in the conversation is told, the sender's own too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(transparent)]
pub struct NewEvent(pub Entry);

/// Somebody has read a conversation up to a message; everyone in it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ReadEvent {
    /// Which conversation.
    pub conversation: Conversation,
    /// Who.
    pub user: UserId,
    /// The last message that was read.
    pub seq: Seq,
}

events! {
    "message.new": NewEvent,
    "message.read": ReadEvent,
}

facts! { Message {} }
