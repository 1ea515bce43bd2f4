//! People who talk without a pause, and log what they do and see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use broker_schemas::message::{self, Entry, Recipient};
use broker_schemas::{Conversation, Outcome, Seq, UserId};
use natter_client::{Address, CallError, Chat, Update, Updates};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::history::{Event, Mark, Operation, Recorder, Step, hash};
use crate::{Person, Random, befriend};

/// How long a send goes on trying.
const SEND_LIMIT: Duration = Duration::from_secs(8);
/// How many sends of one client may be under way; past it, it waits.
const IN_FLIGHT: usize = 64;
/// How long everybody may take to see everything, once nobody sends.
const DRAIN: Duration = Duration::from_secs(30);
/// How the reason begins with which a send was refused for good.
pub const REJECTED: &str = "rejected: ";
const PAGE: u32 = message::PAGE_MAX;

/// What kind of load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Two for each conversation.
    pub clients: usize,
    /// Sends of all of them together.
    pub per_second: f64,
    /// Makes the times, the texts and the names of messages.
    pub seed: u64,
    /// Each send is one call, so that a failed one shows; otherwise it is tried again until it is answered.
    pub once: bool,
    /// Where each connects; one after the other takes the next.
    pub addresses: Vec<Address>,
}

impl Load {
    /// 40 clients, 20 conversations, 200 sends per second.
    #[must_use]
    pub fn standard(seed: u64, addresses: Vec<Address>) -> Self {
        Self { clients: 40, per_second: 200.0, seed, once: false, addresses }
    }

    /// Makes the accounts and the friendships, and lets everybody talk.
    pub async fn start(self) -> Running {
        let recorder = Recorder::default();
        let mut people = Vec::new();
        for number in 0..self.clients {
            let address = &self.addresses[number % self.addresses.len()];
            people.push(Person::register(address, &format!("load{number}")).await);
        }
        for pair in people.chunks_exact_mut(2) {
            let [a, b] = pair else { unreachable!() };
            befriend(a, b).await;
        }
        let mut running = Running {
            recorder: recorder.clone(),
            stop: Arc::default(),
            talkers: JoinSet::new(),
            readers: JoinSet::new(),
            seen: Arc::new((0..self.clients).map(|_| AtomicU64::new(0)).collect()),
            clients: Vec::new(),
        };
        let users: Vec<UserId> = people.iter().map(|person| person.user).collect();
        for (index, person) in people.into_iter().enumerate() {
            let peer = users[index ^ 1];
            let device = u32::try_from(index).unwrap();
            let conversation = Conversation::direct(person.user, peer).unwrap();
            let own = |operation| Event::new(operation, Step::Ok, person.user.get(), device);
            recorder.event(Event { step: Step::Invoke, ..own(Operation::Join).within(conversation) });
            recorder.event(own(Operation::Join).within(conversation));
            recorder.event(own(Operation::Resume));
            let client = Client { chat: person.chat, user: person.user, peer, device, conversation };
            let (seen, record) = (Arc::clone(&running.seen), recorder.clone());
            running.readers.spawn(read(client.clone(), person.updates, record, seen));
            running.clients.push(client);
        }
        for client in &running.clients {
            let random = Random::new(self.seed ^ u64::from(client.device) << 32);
            let stop = Arc::clone(&running.stop);
            running.talkers.spawn(talk(client.clone(), random, self.clone(), recorder.clone(), stop));
        }
        running
    }
}

/// One of the people.
#[derive(Debug, Clone)]
struct Client {
    chat: Chat,
    user: UserId,
    peer: UserId,
    device: u32,
    conversation: Conversation,
}

impl Client {
    fn event(&self, operation: Operation, step: Step) -> Event {
        Event::new(operation, step, self.user.get(), self.device)
    }

    fn sight(&self, operation: Operation, entry: &Entry) -> Event {
        Event {
            client_id: Some(entry.client_id),
            seq: Some(entry.seq.get()),
            body: Some(hash(&entry.text)),
            from: Some(entry.from.get()),
            ..self.event(operation, Step::Ok).within(entry.conversation)
        }
    }
}

/// A load that goes on.
#[derive(Debug)]
pub struct Running {
    recorder: Recorder,
    stop: Arc<AtomicBool>,
    talkers: JoinSet<()>,
    readers: JoinSet<()>,
    /// By device, the last place that it showed.
    seen: Arc<Vec<AtomicU64>>,
    clients: Vec<Client>,
}

impl Running {
    /// Where marks go.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Stops sending, waits until everybody has seen everything (30 s at most), and reads every user's history.
    pub async fn finish(mut self) -> Recorder {
        self.stop.store(true, Ordering::Relaxed);
        while self.talkers.join_next().await.is_some() {}
        self.drain().await;
        self.recorder.mark(Mark::Drained, "");
        let mut reads = JoinSet::new();
        for client in &self.clients {
            reads.spawn(read_all(client.clone(), self.recorder.clone()));
        }
        reads.join_all().await;
        self.readers.shutdown().await;
        self.recorder
    }

    async fn drain(&self) {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for line in self.recorder.lines() {
            if let crate::history::Line::Event(Event { conversation, seq: Some(seq), .. }) = line {
                let known = last.entry(conversation).or_default();
                *known = seq.max(*known);
            }
        }
        let deadline = Instant::now() + DRAIN;
        let behind = |client: &Client| {
            let seen = self.seen[client.device as usize].load(Ordering::Relaxed);
            last.get(&client.conversation.to_string()).is_some_and(|last| seen < *last)
        };
        while Instant::now() < deadline && self.clients.iter().any(behind) {
            sleep(Duration::from_millis(50)).await;
        }
        // What comes now comes uncalled for: a repeat, or a message of an unknown send.
        sleep(Duration::from_millis(500)).await;
    }
}

/// Sends at a steady rate, whatever becomes of the sends.
async fn talk(client: Client, mut random: Random, load: Load, recorder: Recorder, stop: Arc<AtomicBool>) {
    #[allow(clippy::cast_precision_loss, reason = "a few thousand clients at most")]
    let period = Duration::from_secs_f64(load.clients as f64 / load.per_second);
    sleep(period.mul_f64(f64::from(u32::try_from(random.below(1_000)).unwrap()) / 1_000.0)).await;
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sends, room) = (JoinSet::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        while sends.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        number += 1;
        let client_id = random.uuid();
        let padding = ".".repeat(usize::try_from(random.below(200)).unwrap());
        let text = format!("{} {number} {padding}", client.user);
        let (client, recorder) = (client.clone(), recorder.clone());
        sends.spawn(async move {
            send(&client, client_id, &text, load.once, &recorder).await;
            drop(place);
        });
    }
    while sends.join_next().await.is_some() {}
}

async fn send(client: &Client, client_id: Uuid, text: &str, once: bool, recorder: &Recorder) {
    let event = |step| {
        let event = client.event(Operation::Send, step).within(client.conversation);
        Event { client_id: Some(client_id), ..event }
    };
    recorder.event(Event { body: Some(hash(text)), ..event(Step::Invoke) });
    let to = Recipient::User(client.peer);
    let sent = if once {
        let request = message::Send { to, client_id, text: text.try_into().unwrap() };
        client.chat.call(&request).await
    } else {
        client.chat.send(to, client_id, text, SEND_LIMIT).await
    };
    recorder.event(match sent {
        Ok(sent) => Event { seq: Some(sent.seq.get()), ..event(Step::Ok) },
        Err(error) => {
            let step = if error.outcome() == Outcome::Unknown { Step::Info } else { Step::Fail };
            let why = if error.outcome() == Outcome::Rejected {
                format!("{REJECTED}{error}")
            } else {
                error.to_string()
            };
            Event { why, ..event(step) }
        }
    });
}

/// Logs everything that the client learns.
async fn read(client: Client, mut updates: Updates, recorder: Recorder, seen: Arc<Vec<AtomicU64>>) {
    while let Some(update) = updates.next().await {
        match update {
            Update::Message(entry) => {
                recorder.event(client.sight(Operation::Deliver, &entry));
                seen[client.device as usize].fetch_max(entry.seq.get(), Ordering::Relaxed);
            }
            Update::Online(_) => recorder.event(client.event(Operation::Resume, Step::Ok)),
            Update::Offline { reason, .. } => {
                let event = client.event(Operation::Resume, Step::Info);
                recorder.event(Event { why: reason.to_string(), ..event });
            }
            Update::Over(reason) => {
                let event = client.event(Operation::Resume, Step::Fail);
                recorder.event(Event { why: reason.to_string(), ..event });
            }
            Update::Event(_) => {}
        }
    }
}

/// Reads the whole history, from its end, and logs it from its beginning.
async fn read_all(client: Client, recorder: Recorder) {
    let event = |step| client.event(Operation::Sync, step).within(client.conversation);
    recorder.event(event(Step::Invoke));
    let deadline = Instant::now() + DRAIN;
    let mut pages: Vec<Vec<Entry>> = Vec::new();
    let mut before = None;
    loop {
        match client.chat.history(client.conversation, before, PAGE).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                before = page.first().map(|entry| entry.seq);
                pages.push(page);
                if before == Seq::new(1).ok() {
                    break;
                }
            }
            Err(error) if Instant::now() < deadline => retry(&error).await,
            Err(error) => return recorder.event(Event { why: error.to_string(), ..event(Step::Info) }),
        }
    }
    for entry in pages.iter().rev().flatten() {
        recorder.event(client.sight(Operation::Sync, entry));
    }
    recorder.event(event(Step::Ok));
}

async fn retry(error: &CallError) {
    sleep(error.retry_after().unwrap_or(Duration::from_millis(200))).await;
}
