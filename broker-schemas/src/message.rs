//! Conversations: sending, history, what was missed, what was read, what was changed afterwards.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::caller::{Part, SignedIn};
use crate::{
    Conversation, Done, GroupId, List, Map, Seq, Text, Timestamp, UserId, admin, events, facts, friend,
    group, service,
};

/// The longest text of a message, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 16 * 1024;
/// The longest [`Payload::data`], in bytes of UTF-8.
pub const PAYLOAD_BYTES: usize = 40 * 1024;
/// The longest [`Payload::kind`], in bytes.
pub const KIND_BYTES: usize = 128;
/// How many users one message may mention.
pub const MENTIONS_MAX: usize = 64;
/// The longest reaction, in bytes of UTF-8: room for any one emoji.
pub const REACTION_BYTES: usize = 64;
/// The most different reactions to one message.
pub const REACTIONS_MAX: usize = 32;
/// The most messages in one answer.
pub const PAGE_MAX: u32 = 200;
/// How many messages an answer has when the request doesn't say.
pub const PAGE_DEFAULT: u32 = 50;
/// An answer ends early once what its messages say (texts, payloads, notices, reactions) exceeds this many bytes.
pub const PAGE_BYTES: usize = 64 * 1024;
/// How many conversations one [`Sync`] may name.
pub const SYNC_MAX: usize = 1_024;
/// How much of a text a [`Preview`] has, in bytes.
pub const PREVIEW_BYTES: usize = 256;
/// The longest question of a [`Search`], in bytes.
pub const QUERY_BYTES: usize = 256;
/// How many users one [`Post`] may name.
pub const POST_MAX: usize = 512;
/// How many results of a [`Search`] can be skipped.
pub const SKIP_MAX: u32 = 1_000;

service! {
    /// Conversations: sending, history, what was missed, what was read, what was changed afterwards.
    Message = "message" version 1,
    calls: [friend::GetGate, admin::TakeReport],
    hears: [],
    delivers: [Users, Groups];

    /// Sends a message. Answered once it is stored for good; the same `client_id` again gets the first answer.
    "send": Send => Sent { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of a conversation: going back from `before` or from its end, or going forward from `after`.
    "history": History => Messages { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// What one doesn't have yet, of all one's conversations.
    "sync": Sync => Missed { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Says up to where one has read a conversation. The cursor only moves forward.
    "read": Read => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Who has read a conversation up to where.
    "readers": ListReaders => Readers { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Tells the others that one is writing. Nothing is stored, and it may get lost.
    "typing": Typing => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 2_000 }

    /// Gives a text that one sent another wording, within the time that the installation allows.
    "edit": Edit => Changed { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes back a message that one sent, within the time that the installation allows; the owner and the administrators of a
    /// group, any message of a member, at any time. Its place stays; what it said is erased.
    "recall": Recall => Changed { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Adds a reaction to a message, or takes one's own away.
    "react": React => Changed { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Says that a client has received a message of a campaign, see [`Entry::campaign`].
    "received": Received => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Reports a message to the moderators, who then see what it said.
    "report": Report => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Finds messages by words, in the conversations one is in; the newest first.
    "search": Search => Found { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// A page of one's conversations with what a list of them shows, the one with the newest message first.
    "conversations": ListConversations => Conversations { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Where one stands in each of one's conversations, the one with the newest message first, dissolved groups last.
    "unread": GetUnread => Unread { by: SignedIn, on: [Client, Internal], repeat: Read, deadline_ms: 5_000 }

    /// Opens or closes the conversation of two users. Answered once every later send sees it.
    "set_gate": SetGate => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Makes a change to a group: to who is in its conversation and who may write, and to what stands there. Answered once every
    /// later send, read and delivery sees it.
    "change_group": ChangeGroup => GroupChanged { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// The groups that a user is in: an edge asks when the user signs in there.
    "groups_of": GetGroupsOf => GroupsOf { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Which of these users are in a group: an edge asks before it hands out what is newer than what it knows.
    "present": GetPresent => Present { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Closes a deleted user's conversations with others and tells these. Their history stays theirs.
    "forget_user": ForgetUser => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// Sends one text of a campaign to many users, each in their conversation with the platform's own account. A user who has
    /// it already doesn't get it again.
    "post": Post => Posted { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 10_000 }

    /// How far a campaign has come.
    "reach": GetReach => Reach { by: Part, on: [Internal], repeat: Read, deadline_ms: 3_000 }

    /// Who sent a message.
    "author": GetAuthor => Author { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Erases what a message says, whoever sent it.
    "remove": Remove => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Keeps a user from writing in any conversation until a moment, or lets the user write again. Answered once every later
    /// send sees it.
    "set_silence": SetSilence => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// What texts must not contain.
    "set_rules": SetRules => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }
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
    /// 1 byte to 16 KiB; may be empty beside a payload.
    pub text: Text<TEXT_BYTES>,
    /// The message of the same conversation that this answers.
    pub quote: Option<Seq>,
    /// Whom the text mentions, so that their clients can point it out.
    pub mentions: Option<List<UserId, MENTIONS_MAX>>,
    /// What an application sends, which only applications read.
    pub payload: Option<Payload>,
}

/// What an application sends to itself on other people's devices: a place, a poll, a file somewhere. The server stores it, and
/// knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// What it is, as the application calls it: 1 to 128 bytes of `A-Z a-z 0-9 . _ / + -`, such as a media type.
    pub kind: Text<KIND_BYTES>,
    /// What it says, at most 40 KiB of text; binary data in base64, for example.
    pub data: Text<PAYLOAD_BYTES>,
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
    /// Only messages before this one, the last of them; from the end when absent.
    pub before: Option<Seq>,
    /// Only messages after this one, the first of them; not together with `before`.
    pub after: Option<Seq>,
    /// At most this many, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Messages {
    /// The messages, newest last.
    pub messages: Vec<Entry>,
    /// There are more in the direction that was asked for.
    pub more: bool,
}

/// One message, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Entry {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
    /// Who sent it; who did it, if it is a notice.
    pub from: UserId,
    /// What the sender's client called it; absent from a notice.
    pub client_id: Option<Uuid>,
    /// What it says. Empty for a notice, and when it was recalled.
    pub text: String,
    /// When it was stored, by the server's clock.
    pub sent_at: Timestamp,
    /// The message that this answers.
    pub quote: Option<Seq>,
    /// Whom it mentions.
    pub mentions: Vec<UserId>,
    /// What an application sent.
    pub payload: Option<Payload>,
    /// What happened to the group, when nobody wrote this.
    pub notice: Option<group::Change>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Who recalled it.
    pub recalled_by: Option<UserId>,
    /// The reactions to it, the first one first.
    pub reactions: Vec<Reaction>,
    /// The conversation's revision when this was last changed; 0 when never.
    pub revision: u64,
    /// The campaign that it belongs to. A client that receives it says so, with `message.received`.
    pub campaign: Option<u64>,
}

/// A reaction, and how many have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reaction {
    /// Which.
    pub reaction: String,
    /// How many users.
    pub count: u32,
    /// Whether one of them is the caller.
    pub mine: bool,
}

/// See [`Message`]'s `sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// Of each conversation, the last place up to which the client has everything; 0 for nothing. A conversation that
    /// isn't named counts from where the user has read.
    pub have: Map<Conversation, u64, SYNC_MAX>,
    /// Of each conversation, the last revision that the client knows. Changes of a conversation that isn't named here are
    /// not told.
    pub revisions: Option<Map<Conversation, u64, SYNC_MAX>>,
}

/// What the client doesn't have; all of it as of one moment, so that no change of a message that the client has, by these
/// messages or before, is older than the last one told and missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Missed {
    /// The messages; within each conversation in order and without gaps.
    pub messages: Vec<Entry>,
    /// Messages that the client has as they were, and that were edited, recalled or reacted to since; within each
    /// conversation by revision. A message that changed twice is told once.
    pub changed: Vec<Entry>,
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

/// See [`Message`]'s `readers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListReaders {
    /// Which conversation.
    pub conversation: Conversation,
    /// Only who has read up to this message; everybody when absent.
    pub seq: Option<Seq>,
}

/// Who has read a conversation up to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Readers {
    /// Every member, or those who were asked for; by user id.
    pub readers: Vec<Reader>,
}

/// Up to where one member has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reader {
    /// Who.
    pub user: UserId,
    /// The last message that was read; 0 for none.
    pub seq: u64,
}

/// See [`Message`]'s `typing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    /// Where one is writing.
    pub conversation: Conversation,
}

/// See [`Message`]'s `edit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message of one's own there.
    pub seq: Seq,
    /// What it says from now on; 1 byte to 16 KiB.
    pub text: Text<TEXT_BYTES>,
}

/// See [`Message`]'s `recall`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message there.
    pub seq: Seq,
}

/// See [`Message`]'s `react`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct React {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message there.
    pub seq: Seq,
    /// 1 to 64 bytes without white space, an emoji for example.
    pub reaction: Text<REACTION_BYTES>,
    /// Whether to take it away; no when absent.
    pub remove: Option<bool>,
}

/// A message was changed, or was so already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Changed {
    /// The revision at which it became what was asked for.
    pub revision: u64,
}

/// See [`Message`]'s `search`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words, all of which a message has, or words that begin so; whatever their case.
    pub text: Text<QUERY_BYTES>,
    /// Only in this one; in all one's conversations when absent.
    pub conversation: Option<Conversation>,
    /// At most this many, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
    /// How many of the newest to leave out, at most 1,000; none when absent.
    pub skip: Option<u32>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Found {
    /// The messages, newest first.
    pub messages: Vec<Entry>,
    /// There are more: ask again, skipping these too.
    pub more: bool,
}

/// See [`Message`]'s `conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListConversations {
    /// Only those after this one in the list; from the first when absent.
    pub after: Option<Conversation>,
    /// At most this many, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of one's conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Conversations {
    /// The one with the newest message first.
    pub conversations: Vec<Overview>,
    /// There are more: ask again, after the last of these.
    pub more: bool,
}

/// What a list of conversations shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Overview {
    /// Where the caller stands in it.
    pub standing: Standing,
    /// Whether the caller may write in it now.
    pub open: bool,
    /// The last message, as far as the caller sees one.
    pub last: Option<Preview>,
}

/// The beginning of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Preview {
    /// Its place.
    pub seq: Seq,
    /// Who sent it.
    pub from: UserId,
    /// What its text begins with, at most 256 bytes.
    pub text: String,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// What an application calls its payload, if there is one.
    pub kind: Option<String>,
    /// What happened to the group, when nobody wrote this.
    pub notice: Option<group::Change>,
    /// Whether it was recalled.
    pub recalled: bool,
}

/// See [`Message`]'s `unread`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetUnread {}

/// Where one stands in each of one's conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Unread {
    /// The one with the newest message first, dissolved groups last; at most 1,024.
    pub conversations: Vec<Standing>,
}

/// Where a member stands in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Standing {
    /// Which.
    pub conversation: Conversation,
    /// The first message that the user may read, or will once there is one.
    pub first_seq: u64,
    /// The place of the last message; 0 when there is none.
    pub last_seq: u64,
    /// Up to where the user has read; at least `first_seq - 1`. What follows is unread.
    pub read_seq: u64,
    /// The last change of a message; 0 when there is none.
    pub revision: u64,
}

impl Standing {
    /// How many messages the user has not read.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.last_seq.saturating_sub(self.read_seq)
    }
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

/// See [`Message`]'s `change_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ChangeGroup {
    /// Which group.
    pub group: GroupId,
    /// Counts the group's changes from 1. One that was made already is answered as done; one of which an earlier one is missing,
    /// as a conflict.
    pub version: u64,
    /// Who did it.
    pub by: UserId,
    /// What.
    pub change: group::Change,
    /// What those see who become members by this change.
    pub visible: group::Visible,
}

/// What became of a change of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct GroupChanged {
    /// Where the notice of it stands. Absent when it was made before, and something was changed since.
    pub seq: Option<Seq>,
}

/// See [`Message`]'s `groups_of`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetGroupsOf {
    /// Whose.
    pub user: UserId,
}

/// The groups that a user is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct GroupsOf {
    /// Each group.
    pub groups: Vec<Membership>,
}

/// A user's membership of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Membership {
    /// Which group.
    pub group: GroupId,
    /// The group's version when this was read.
    pub version: u64,
    /// The group's version that made the user a member: what is older is not for this user.
    pub since: u64,
}

/// See [`Message`]'s `present`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetPresent {
    /// Which group.
    pub group: GroupId,
    /// Which users.
    pub users: List<UserId, { group::MEMBERS_MAX }>,
}

/// Which users are in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Present {
    /// The group's version when this was read.
    pub version: u64,
    /// Those that are, each with the version that made them a member.
    pub members: Vec<(UserId, u64)>,
}

/// See [`Message`]'s `received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The conversation.
    pub conversation: Conversation,
    /// Up to where: every message of a campaign up to this place counts as received.
    pub seq: Seq,
}

/// See [`Message`]'s `report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The conversation.
    pub conversation: Conversation,
    /// The message's place in it.
    pub seq: Seq,
    /// Why, 1 byte to 1 KiB.
    pub reason: Text<1024>,
}

/// See [`Message`]'s `post`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Which campaign.
    pub campaign: u64,
    /// The platform's own account.
    pub from: UserId,
    /// To whom.
    pub to: List<UserId, POST_MAX>,
    /// What.
    pub text: Text<TEXT_BYTES>,
}

/// What came of a [`Post`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Posted {
    /// To how many it was sent now; the others had it already.
    pub sent: u32,
}

/// See [`Message`]'s `reach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetReach {
    /// Which campaign.
    pub campaign: u64,
}

/// How far a campaign has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reach {
    /// Users in whose conversation it stands.
    pub sent: u64,
    /// Users of whom a client received it.
    pub delivered: u64,
    /// Users who read it.
    pub read: u64,
}

/// See [`Message`]'s `author`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetAuthor {
    /// The conversation.
    pub conversation: Conversation,
    /// The message's place in it.
    pub seq: Seq,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Author {
    /// The sender.
    pub user: UserId,
}

/// See [`Message`]'s `remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// The conversation.
    pub conversation: Conversation,
    /// The message's place in it.
    pub seq: Seq,
    /// Who does it: what is left of the message says so.
    pub by: UserId,
}

/// See [`Message`]'s `set_silence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetSilence {
    /// Whom.
    pub user: UserId,
    /// Until when; none lets the user write again.
    pub until: Option<Timestamp>,
    /// Grows with each mute, of whomever: one that comes late doesn't undo a newer one of the same user.
    pub version: u64,
}

/// See [`Message`]'s `set_rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    /// All of them.
    pub book: admin::RuleBook,
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

/// Somebody has read a conversation up to a message. Everyone in it is told; in a large group, only the reader's own sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ReadEvent {
    /// Which conversation.
    pub conversation: Conversation,
    /// Who.
    pub user: UserId,
    /// The last message that was read.
    pub seq: Seq,
}

/// Somebody is writing; the others are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct TypingEvent {
    /// Where.
    pub conversation: Conversation,
    /// Who.
    pub user: UserId,
}

/// A message says something else now; everyone who may read it is told, and nobody else: not who joined the group later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct EditedEvent {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message.
    pub seq: Seq,
    /// The conversation's revision, which grows by one with each change.
    pub revision: u64,
    /// What it says now.
    pub text: String,
    /// When it was edited.
    pub edited_at: Timestamp,
}

/// A message was recalled; everyone who might read it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RecalledEvent {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message.
    pub seq: Seq,
    /// The conversation's revision, which grows by one with each change.
    pub revision: u64,
    /// Who recalled it.
    pub by: UserId,
}

/// Somebody reacted to a message, or took that back; everyone who may read it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ReactedEvent {
    /// Which conversation.
    pub conversation: Conversation,
    /// Which message.
    pub seq: Seq,
    /// The conversation's revision, which grows by one with each change.
    pub revision: u64,
    /// Who.
    pub user: UserId,
    /// Which reaction.
    pub reaction: String,
    /// Whether it was taken away.
    pub removed: bool,
}

events! {
    "message.new": NewEvent,
    "message.read": ReadEvent,
    "message.typing": TypingEvent,
    "message.edited": EditedEvent,
    "message.recalled": RecalledEvent,
    "message.reacted": ReactedEvent,
}

facts! { Message {} }
