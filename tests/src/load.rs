//! People who talk without a pause, in pairs and in groups that some of them leave and join, and who log what they do and see.

mod churn;
mod people;
mod read;
mod talk;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::message::Entry;
use broker_schemas::{Conversation, Method, Outcome, UserId};
use natter_client::{Address, CallError, Chat};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::history::{Event, Mark, Operation, Recorder, Step, hash};
use people::{Group, People};

/// How long everybody may take to see everything, once nobody sends.
const DRAIN: Duration = Duration::from_secs(30);
/// How the reason begins with which something was refused for good.
pub const REJECTED: &str = "rejected: ";
/// How often a client asks for what it missed, though nothing hints at anything (5 min by default): often enough that a push
/// that was lost shows as late, and not as a message that is lost.
const SYNC_EVERY: Duration = Duration::from_secs(20);

/// What kind of load.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many people. Half of them talk in pairs, all of them in groups: as many groups as pairs, each person in two.
    pub clients: usize,
    /// Sends of all of them together.
    pub per_second: f64,
    /// How often somebody leaves a group or is put out, joins or is taken in.
    pub moves_per_second: f64,
    /// Which part of what was sent is edited, recalled or reacted to afterwards.
    pub edited: f64,
    /// Makes the times, the texts and the names of messages, who moves, and what is edited.
    pub seed: u64,
    /// Each operation is one call, so that a failed one shows; otherwise it is tried again until it is answered.
    pub once: bool,
    /// What the names of the accounts begin with.
    pub names: &'static str,
    /// Where each connects; one after the other takes the next.
    pub addresses: Vec<Address>,
}

/// Members of each group.
pub const GROUP: usize = 8;

impl Load {
    /// 40 clients, 10 pairs, 10 groups of 8, 200 sends per second.
    #[must_use]
    pub fn standard(seed: u64, addresses: Vec<Address>) -> Self {
        Self {
            clients: 40,
            per_second: 200.0,
            moves_per_second: 4.0,
            edited: 0.02,
            seed,
            once: false,
            names: "load",
            addresses,
        }
    }

    /// Makes the accounts, the friendships and the groups, and lets everybody talk.
    ///
    /// # Panics
    /// When nothing is broken, and the platform does not do what it is asked for all the same.
    pub async fn start(self) -> Running {
        let recorder = Recorder::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (mut workers, mut watchers) = (JoinSet::new(), JoinSet::new());
        let people = people::gather(&self, &recorder, &mut watchers).await;
        for client in &people.clients {
            workers.spawn(talk::talk(client.clone(), self.clone(), recorder.clone(), Arc::clone(&stop)));
        }
        for group in &people.groups {
            workers.spawn(churn::churn(Arc::clone(group), self.clone(), recorder.clone(), Arc::clone(&stop)));
        }
        Running { recorder, stop, workers, watchers, people }
    }
}

/// One of the people.
#[derive(Debug, Clone)]
struct Client {
    chat: Chat,
    user: UserId,
    device: u32,
    peer: Option<(UserId, Conversation)>,
    /// Each group, and the place among its members.
    groups: Vec<(Arc<Group>, usize)>,
    shown: Arc<Mutex<Shown>>,
}

/// What a device shows: of each conversation the messages, by place, and the revision of each.
type Shown = HashMap<Conversation, BTreeMap<u64, u64>>;

impl Client {
    fn event(&self, operation: Operation, step: Step) -> Event {
        Event::new(operation, step, self.user.get(), self.device)
    }

    /// A message, as the client sees it.
    fn sight(&self, operation: Operation, entry: &Entry) -> Event {
        let recalled = entry.recalled_by.map(UserId::get);
        let reactions: Vec<_> =
            entry.reactions.iter().map(|reaction| (&reaction.reaction, reaction.count)).collect();
        Event {
            client_id: entry.client_id,
            notice: entry.notice.as_ref().map(people::words),
            seq: Some(entry.seq.get()),
            body: entry.notice.is_none().then(|| hash(&entry.text)),
            from: Some(entry.from.get()),
            revision: Some(entry.revision),
            state: Some(hash(&format!("{recalled:?} {reactions:?}"))),
            ..self.event(operation, Step::Ok).within(entry.conversation)
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load that goes on.
#[derive(Debug)]
pub struct Running {
    recorder: Recorder,
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
    watchers: JoinSet<()>,
    people: People,
}

impl Running {
    /// Where marks go.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Stops sending and moving, waits until everybody has seen everything (30 s at most), and reads every user's histories.
    pub async fn finish(mut self) -> Recorder {
        self.stop.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        self.drain().await;
        self.recorder.mark(Mark::Drained, "");
        let mut reads = JoinSet::new();
        for client in &self.people.clients {
            let conversations = client.conversations();
            let (client, recorder) = (client.clone(), self.recorder.clone());
            reads.spawn(async move {
                for conversation in conversations {
                    read::read_all(&client, conversation, &recorder).await;
                }
            });
        }
        reads.join_all().await;
        self.watchers.shutdown().await;
        self.recorder
    }

    async fn drain(&self) {
        let last = self.recorder.last_places();
        let changes = self.recorder.last_revisions();
        let behind = |client: &Client| {
            let all = client.shown();
            let lacks = |conversation: &Conversation| {
                let (name, shown) = (conversation.to_string(), all.get(conversation));
                let shows = |seq: &u64| shown.and_then(|shown| shown.get(seq));
                let is_short =
                    |last: &u64| shown.and_then(BTreeMap::last_key_value).is_none_or(|(seq, _)| seq < last);
                // What it never showed it need not change.
                let is_old = |(seq, revision): (&u64, &u64)| shows(seq).is_some_and(|shown| shown < revision);
                last.get(&name).is_some_and(is_short)
                    || changes.get(&name).is_some_and(|changes| changes.iter().any(is_old))
            };
            client.peer.iter().any(|(_, conversation)| lacks(conversation))
                || client
                    .groups
                    .iter()
                    .any(|(group, place)| group.members[*place].is_inside() && lacks(&group.conversation))
        };
        let deadline = Instant::now() + DRAIN;
        while Instant::now() < deadline && self.people.clients.iter().any(behind) {
            sleep(Duration::from_millis(50)).await;
        }
        // What comes now comes uncalled for: a repeat, or a message of an unknown send.
        sleep(Duration::from_millis(500)).await;
    }
}

/// What came of an operation that was tried until it was answered.
enum Settled<T> {
    Done(T),
    /// Refused for good.
    Refused(CallError),
    /// It did not happen.
    NotDone(CallError),
    /// Nobody knows.
    Unknown(CallError),
}

impl<T> Settled<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Done(done) => Settled::Done(change(done)),
            Self::Refused(error) => Settled::Refused(error),
            Self::NotDone(error) => Settled::NotDone(error),
            Self::Unknown(error) => Settled::Unknown(error),
        }
    }

    /// How this ends the operation that began with `event`.
    fn log(&self, event: Event) -> Event {
        match self {
            Self::Done(_) => Event { step: Step::Ok, ..event },
            Self::Refused(error) => Event { step: Step::Fail, why: format!("{REJECTED}{error}"), ..event },
            Self::NotDone(error) => Event { step: Step::Fail, why: error.to_string(), ..event },
            Self::Unknown(error) => Event { step: Step::Info, why: error.to_string(), ..event },
        }
    }
}

/// Calls until there is an answer, or `limit` has passed; once, if that is asked for. A refusal of a repeat says nothing of
/// what became of an earlier try.
async fn settle<R: Method>(chat: &Chat, request: &R, limit: Duration, once: bool) -> Settled<R::Reply> {
    let deadline = Instant::now() + limit;
    let mut unknown = false;
    loop {
        let error = match chat.call(request).await {
            Ok(reply) => return Settled::Done(reply),
            Err(error) => error,
        };
        let settled = match error.outcome() {
            Outcome::Rejected if error.retry_after().is_none() => true,
            Outcome::Unknown => {
                unknown = true;
                false
            }
            _ => false,
        };
        let wait = error.retry_after().unwrap_or(Duration::from_millis(200));
        if settled || once || Instant::now() + wait >= deadline {
            return match error.outcome() {
                _ if unknown => Settled::Unknown(error),
                Outcome::Rejected => Settled::Refused(error),
                Outcome::NotExecuted | Outcome::Unknown => Settled::NotDone(error),
            };
        }
        sleep(wait).await;
    }
}
