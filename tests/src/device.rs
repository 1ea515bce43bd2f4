//! A device of a user, as the wire has it: it keeps every event that it is pushed, and adds nothing of its own.
//!
//! [`crate::Person`] asks for what it missed and puts messages in order, as a good client does. A test of who is told what needs
//! to see what the edge said, and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use broker_schemas::message::{self, Entry, Recipient, Sent};
use broker_schemas::{Code, Conversation, Event, GroupId, Map, Method, Outcome, UserId, friend, group, user};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::Person;

/// How long an answer or an event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// What may be concluded.
    pub outcome: Outcome,
    /// The words.
    pub message: String,
}

/// An event, as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its name.
    pub name: String,
    /// Its body.
    pub body: Value,
}

impl Pushed {
    /// The event, if it is an `E`.
    ///
    /// # Panics
    /// When it is called so and is none.
    #[must_use]
    pub fn read<E: Event + DeserializeOwned>(&self) -> Option<E> {
        let read = || serde_json::from_value(self.body.clone());
        (self.name == E::NAME).then(|| read().unwrap_or_else(|error| panic!("{error}: {self:?}")))
    }
}

/// A connection that speaks lines of JSON and keeps what it is pushed, whether or not anybody is signed in on it.
#[derive(Debug)]
pub struct Connection {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    next: AtomicU64,
    heard: Arc<Heard>,
    _reader: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Heard {
    open: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    pushed: Mutex<Vec<Pushed>>,
    more: Notify,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(place: &str) -> Self {
        let (reader, writer) = TcpStream::connect(place).await.unwrap().into_split();
        let heard = Arc::new(Heard::default());
        let mut task = JoinSet::new();
        task.spawn(listen(reader, Arc::clone(&heard)));
        Self { writer: writer.into(), next: AtomicU64::new(1), heard, _reader: task }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// What the edge answered. A connection that broke is an unknown outcome.
    pub async fn call<R: Method>(&self, request: &R) -> Result<R::Reply, Refusal> {
        let name = format!("{}.{}", R::SPEC.service, R::SPEC.called);
        let reply = self.call_json(&name, serde_json::to_value(request).unwrap()).await?;
        Ok(serde_json::from_value(reply.clone()).unwrap_or_else(|error| panic!("{error}: {reply}")))
    }

    /// Calls the method `name` with a body that needn't be one of the contract's.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_json(&self, name: &str, body: Value) -> Result<Value, Refusal> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.heard.open).insert(id, answer);
        let frame = format!("{}\n", serde_json::json!({"id": id, "call": name, "body": body}));
        let written = self.writer.lock().await.write_all(frame.as_bytes()).await;
        let answered = timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("{name}: no answer"));
        let Ok(mut frame) = answered else {
            let message = format!("the connection is closed ({written:?})");
            return Err(Refusal { code: Code::Timeout, outcome: Outcome::Unknown, message });
        };
        if frame["error"].is_null() {
            Ok(frame["ok"].take())
        } else {
            Err(serde_json::from_value(frame["error"].take()).unwrap())
        }
    }

    /// Takes the first event that `wanted` takes out of what was pushed; waits for it.
    ///
    /// # Panics
    /// When none comes.
    pub async fn pushed<T>(&self, mut wanted: impl FnMut(&Pushed) -> Option<T>) -> T {
        let found = async {
            let mut seen = 0;
            loop {
                let more = self.heard.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                {
                    let mut pushed = lock(&self.heard.pushed);
                    if let Some((at, found)) =
                        (seen..pushed.len()).find_map(|at| wanted(&pushed[at]).map(|found| (at, found)))
                    {
                        pushed.remove(at);
                        return found;
                    }
                    seen = pushed.len();
                }
                more.await;
            }
        };
        match timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => panic!("not pushed within {PATIENCE:?}; there is {:?}", lock(&self.heard.pushed)),
        }
    }

    /// The next event of a type; those of other types stay.
    pub async fn event<E: Event + DeserializeOwned>(&self) -> E {
        self.pushed(Pushed::read).await
    }

    /// The next message; other events stay.
    pub async fn message(&self) -> Entry {
        self.event::<message::NewEvent>().await.0
    }

    /// The next notice of a conversation; other events stay.
    pub async fn notice(&self, conversation: Conversation) -> Entry {
        let wanted = |entry: &Entry| entry.conversation == conversation && entry.notice.is_some();
        self.pushed(|pushed| pushed.read::<message::NewEvent>().map(|event| event.0).filter(wanted)).await
    }

    /// What was pushed and not taken yet, oldest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<Pushed> {
        lock(&self.heard.pushed).clone()
    }

    /// Forgets what was pushed and not taken yet.
    pub fn forget(&self) {
        lock(&self.heard.pushed).clear();
    }

    /// The messages among [`Connection::waiting`].
    #[must_use]
    pub fn messages(&self) -> Vec<Entry> {
        let waiting = self.waiting();
        waiting.iter().filter_map(Pushed::read::<message::NewEvent>).map(|event| event.0).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

async fn listen(reader: OwnedReadHalf, heard: Arc<Heard>) {
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut frame: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(name) = frame["event"].as_str() {
            let pushed = Pushed { name: name.to_owned(), body: frame["body"].take() };
            lock(&heard.pushed).push(pushed);
            heard.more.notify_waiters();
        } else if let Some(call) = frame["id"].as_u64().and_then(|id| lock(&heard.open).remove(&id)) {
            let _ = call.send(frame);
        }
    }
    // Whoever waits learns that nothing comes any more.
    lock(&heard.open).clear();
}

/// A connection on which somebody is signed in.
#[derive(Debug)]
pub struct Device {
    /// The account.
    pub user: UserId,
    /// What the sign-in answered.
    pub session: user::Session,
    connection: Connection,
}

impl Deref for Device {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Device {
    /// Makes an account and signs in.
    pub async fn register(place: &str, name: &str) -> Self {
        let connection = Connection::open(place).await;
        let login = Person::login(name);
        let account = user::Register { name: login.name, password: login.password, display_name: None };
        connection.call(&account).await.unwrap();
        Self::sign_in_on(connection, name).await
    }

    /// Signs in to an account that [`Device::register`] or [`Person::register`] made.
    pub async fn sign_in(place: &str, name: &str) -> Self {
        Self::sign_in_on(Connection::open(place).await, name).await
    }

    async fn sign_in_on(connection: Connection, name: &str) -> Self {
        let session = connection.call(&Person::login(name)).await.unwrap();
        Self { user: session.user, session, connection }
    }

    /// Makes friends with another one.
    pub async fn befriend(&self, other: &Self) {
        self.call(&friend::Request { user: other.user }).await.unwrap();
        other.call(&friend::Accept { user: self.user }).await.unwrap();
    }

    /// Makes a group with friends in it.
    pub async fn create(&self, name: &str, members: &[&Self], admission: group::Admission) -> GroupId {
        let members = members.iter().map(|member| member.user).collect();
        let request = group::Create {
            name: name.try_into().unwrap(),
            members: Some(broker_schemas::List::new(members).unwrap()),
            admission: Some(admission),
            visible: None,
        };
        self.call(&request).await.unwrap().group
    }

    /// Sends a text, once.
    ///
    /// # Errors
    /// What the edge answered.
    pub async fn send(&self, to: Recipient, text: &str) -> Result<Sent, Refusal> {
        self.call(&draft(to, text)).await
    }

    /// All of a conversation that this user may read, page by page from its end.
    ///
    /// # Errors
    /// What the edge answered.
    pub async fn whole(&self, conversation: Conversation) -> Result<Vec<Entry>, Refusal> {
        let mut whole: Vec<Entry> = Vec::new();
        loop {
            let before = whole.first().map(|entry| entry.seq);
            let limit = Some(message::PAGE_MAX);
            let page = message::History { conversation, before, after: None, limit };
            let page = self.call(&page).await?;
            whole.splice(0..0, page.messages);
            if !page.more {
                return Ok(whole);
            }
        }
    }
}

/// What a client has of each conversation: the last message, or the last change.
pub type Cursors = BTreeMap<Conversation, u64>;

impl Device {
    /// Everything that the user doesn't have, in as many answers as it takes, each of which is bounded: the new messages, and
    /// the changed ones.
    ///
    /// # Panics
    /// When an answer is longer than it may be, or doesn't bring the client any further.
    pub async fn sync(&self, mut have: Cursors, mut revisions: Option<Cursors>) -> (Vec<Entry>, Vec<Entry>) {
        let (mut messages, mut changed) = (Vec::new(), Vec::new());
        loop {
            let revisions_now = revisions.clone().map(|revisions| Map::new(revisions).unwrap());
            let request = message::Sync { have: Map::new(have.clone()).unwrap(), revisions: revisions_now };
            let page = self.call(&request).await.unwrap();
            assert_bounded(&page.messages);
            assert_bounded(&page.changed);
            assert!(!page.more || !page.messages.is_empty() || !page.changed.is_empty(), "more of nothing");
            for entry in &page.messages {
                have.insert(entry.conversation, entry.seq.get());
            }
            for entry in &page.changed {
                revisions.as_mut().expect("asked for").insert(entry.conversation, entry.revision);
            }
            messages.extend(page.messages);
            changed.extend(page.changed);
            if !page.more {
                return (messages, changed);
            }
        }
    }
}

/// Asserts that a page is not longer than a page may be: what goes beyond its bytes is one message at most.
pub fn assert_bounded(page: &[Entry]) {
    assert!(page.len() <= message::PAGE_MAX as usize, "{} messages in one answer", page.len());
    let bytes = page.iter().map(|entry| entry.text.len()).sum::<usize>();
    let longest = page.iter().map(|entry| entry.text.len()).max().unwrap_or(0);
    assert!(bytes <= message::PAGE_BYTES + longest, "{bytes} bytes in one answer");
}

/// A text for somebody.
#[must_use]
pub fn draft(to: Recipient, text: &str) -> message::Send {
    let text = text.try_into().unwrap();
    message::Send { to, client_id: Uuid::now_v7(), text, quote: None, mentions: None, payload: None }
}
