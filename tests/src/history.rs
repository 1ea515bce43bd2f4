//! What clients did and saw, as they logged it, and the judge of it.
//!
//! Clients outside the servers write a [`Line`] for each step of each operation, with one monotonic clock; whoever
//! breaks something writes a [`Mark`]. [`check`] reads all of it afterwards. It knows nothing of the servers but what
//! they promise.
//!
//! A history names users, devices and conversations by what they are on the wire, and holds no text: bodies are hashes.
//! What a group's conversation says happened to it (a notice) is a few words, such as `kicked 7`.

mod checker;
mod file;
#[cfg(test)]
mod generator;
mod lose;
mod recorder;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use checker::{Bounds, Figures, Growth, Invariant, Level, Report, Violation, check};
pub use file::{load, save};
pub use lose::without_last_acked;
pub use recorder::Recorder;

/// Microseconds since the history began.
pub type Micros = u64;

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A step of an operation of a client.
    Event(Event),
    /// A moment that the checker has to know.
    Mark {
        /// When.
        at: Micros,
        /// Which moment.
        mark: Mark,
        /// What was done, for people.
        #[serde(default)]
        what: String,
    },
    /// What a process uses.
    Sample {
        /// When.
        at: Micros,
        /// Which process.
        process: String,
        /// Its number, by which it differs from the one before it of the same name.
        #[serde(default)]
        pid: u32,
        /// Resident memory, in bytes.
        resident: u64,
        /// Open file descriptors.
        descriptors: u64,
    },
}

/// A moment that the checker has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Something is broken from now on.
    Fault,
    /// It is not any more. Of a process that was killed and that its supervisor starts again, the moment of the kill: the
    /// start is part of the recovery.
    Heal,
    /// No more operations begin, and everyone had time to see what there is.
    Drained,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It begins.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen, and never will.
    Fail,
    /// Nobody knows: a timeout, a broken connection.
    Info,
}

/// What a client does, or what happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Stores a message. `Invoke` has `client_id` and `body`, `Ok` also `seq`.
    Send,
    /// A device shows a message to its user, however it got there: always `Ok`, with `seq`, `from`, `body`, and `client_id`
    /// or, of a notice, `notice`.
    Deliver,
    /// A user reads a conversation's whole history. `Invoke`, then `Ok` with `seq` for each message, in order, as for
    /// [`Operation::Deliver`], then `Ok` without one: that was all. `Fail` when it may not be read.
    Sync,
    /// A user comes into a conversation. What the user may see begins with `seq`; without one, with the joining.
    /// With a `notice`, the joining stands in the conversation. `from` says who took the user in, if somebody did.
    Join,
    /// A user leaves a conversation, or is made to, by `from`. Once it is acked, nothing that is sent later reaches that user,
    /// and nothing can be read. With a `notice`, it stands in the conversation, and nothing behind it is for the user.
    Leave,
    /// A group is made, or something happens to it that moves nobody: a `notice` of it stands in the conversation.
    Change,
    /// A user changes the message at `seq`. `Invoke` has the `body` that it has then (that of the empty text, when it is
    /// recalled; none, when the text stays), `Ok` the `revision`. One at a time for each message.
    Edit,
    /// A device shows what a message has become: always `Ok`, with `seq`, `revision`, `body` and `state`.
    Update,
    /// A user closes a conversation for everyone in it: once it is acked, nothing can be sent, but all stays readable.
    Block,
    /// Takes a block back.
    Unblock,
    /// A device forgets a conversation that its user is out of: when it shows it again, its view begins anew.
    Forget,
    /// A device is online (`Ok`), or lost its connection (`Info`), or its session (`Fail`). The first `Ok` opens its view.
    Resume,
    /// A device goes away for good; it need not see what comes later.
    Close,
}

/// A step of an operation of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Micros,
    /// How far the operation is.
    pub step: Step,
    /// What it is.
    pub operation: Operation,
    /// Who.
    pub user: u64,
    /// On which device.
    pub device: u32,
    /// In which conversation; empty for an operation that has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub conversation: String,
    /// What the sender's client called the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// The message's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// [`hash`] of what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<u64>,
    /// Who is said to have sent it, or did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// What happened to the group. Of each notice, one operation is under way at a time in one conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Counts the changes of messages in the conversation; 0 for a message that was never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Hash of what else can change about a message: its reactions, and who recalled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<u64>,
    /// Why it failed, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Event {
    /// A step of an operation, of which nothing else is known; [`Recorder::event`] sets the time.
    #[must_use]
    pub const fn new(operation: Operation, step: Step, user: u64, device: u32) -> Self {
        Self {
            at: 0,
            step,
            operation,
            user,
            device,
            conversation: String::new(),
            client_id: None,
            seq: None,
            body: None,
            from: None,
            notice: None,
            revision: None,
            state: None,
            why: String::new(),
        }
    }

    /// In this conversation.
    #[must_use]
    pub fn within(mut self, conversation: impl ToString) -> Self {
        self.conversation = conversation.to_string();
        self
    }
}

/// The hash of a text by which a history names it.
#[must_use]
pub fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
