//! What clients did and saw, as they logged it, and the judge of it.
//!
//! Clients outside the servers write a [`Line`] for each step of each operation, with one monotonic clock; whoever
//! breaks something writes a [`Mark`]. [`check`] reads all of it afterwards. It knows nothing of the servers but what
//! they promise.
//!
//! A history names users, devices and conversations by what they are on the wire, and holds no text: bodies are hashes.

mod checker;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

pub use checker::{Bounds, Figures, Invariant, Report, Violation, check};

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
    /// A device shows a message to its user, however it got there: always `Ok`, with `seq`, `from`, `client_id`, `body`.
    Deliver,
    /// A user reads a conversation's whole history. `Invoke`, then `Ok` with `seq` for each message, in order, then `Ok`
    /// without one: that was all.
    Sync,
    /// A user comes into a conversation, and may see it from `seq` on (from its beginning when absent).
    Join,
    /// A user leaves a conversation, or is made to. Once it is acked, nothing that is sent later reaches that user, and
    /// nothing can be read.
    Leave,
    /// A user closes a conversation for everyone in it: once it is acked, nothing can be sent, but all stays readable.
    Block,
    /// Takes a block back.
    Unblock,
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
    /// Who is said to have sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
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

/// Takes the lines of many clients, in the order of their times.
#[derive(Debug, Clone)]
pub struct Recorder {
    start: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { start: Instant::now(), lines: Arc::default() }
    }
}

impl Recorder {
    /// A step of an operation, now.
    pub fn event(&self, event: Event) {
        self.add(|at| Line::Event(Event { at, ..event }));
    }

    /// A moment, now.
    pub fn mark(&self, mark: Mark, what: impl Into<String>) {
        let what = what.into();
        self.add(|at| Line::Mark { at, mark, what });
    }

    /// What a process uses now.
    pub fn sample(&self, process: &str, resident: u64, descriptors: u64) {
        self.add(|at| Line::Sample { at, process: process.to_owned(), resident, descriptors });
    }

    /// The time is taken with the lock held, so that times never go back.
    fn add(&self, line: impl FnOnce(Micros) -> Line) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let at = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        lines.push(line(at));
    }

    /// What there is so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many sends were acked so far.
    #[must_use]
    pub fn acked(&self) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let acks = lines.iter().filter(|line| {
            matches!(line, Line::Event(event) if event.operation == Operation::Send && event.step == Step::Ok)
        });
        acks.count()
    }
}

/// Writes a history as JSON lines.
///
/// # Errors
/// When the file can't be written.
pub fn save(lines: &[Line], path: &Path) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for line in lines {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// When the file can't be read, or a line is none of a history.
pub fn load(path: &Path) -> std::io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The history without one acked message: no delivery and no read has it, as if the server had acked it and lost it.
/// Proves that a judge is awake. The message is the last one of its conversation that was acked; returns its `client_id`.
#[must_use]
pub fn without_last_acked(lines: &[Line]) -> Option<(Vec<Line>, Uuid)> {
    let mut last: BTreeMap<&str, (u64, Uuid)> = BTreeMap::new();
    for line in lines {
        if let Line::Event(Event {
            operation: Operation::Send,
            step: Step::Ok,
            conversation,
            client_id: Some(id),
            seq: Some(seq),
            ..
        }) = line
        {
            let found = last.entry(conversation).or_insert((*seq, *id));
            *found = (*found).max((*seq, *id));
        }
    }
    let (_, lost) = *last.values().next()?;
    let seen = |line: &Line| {
        matches!(line, Line::Event(event) if event.client_id == Some(lost)
            && matches!(event.operation, Operation::Deliver | Operation::Sync))
    };
    Some((lines.iter().filter(|line| !seen(line)).cloned().collect(), lost))
}
