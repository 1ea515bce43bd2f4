//! Random plans: what users do, one after the other and from several devices, done to the system and to a model of it. Any
//! difference is a fault of one of them.

mod action;
mod model;
mod view;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use broker_schemas::group::JoinedEvent;
use broker_schemas::message::{Entry, NewEvent};
use broker_schemas::{Code, Conversation};
use tokio::time::{Instant, sleep};

use self::action::Chooser;
pub use self::action::{Action, InGroup, Names, Place};
use self::model::Model;
use crate::device::Pushed;
use crate::{Device, Random};

/// How many users a plan has.
pub const USERS: usize = 5;
/// How many of the groups that a plan makes are spoken of.
const GROUPS: usize = 3;
/// Of the steps that are chosen and would be refused, one in so many is done.
const REFUSED_ONCE_IN: u64 = 6;
/// How long a device may take to be told the last message.
const PATIENCE: Duration = Duration::from_secs(10);

/// One step: who does what, on which device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whose turn it is.
    pub user: usize,
    /// On which of the user's two devices.
    pub device: usize,
    /// What they do.
    pub action: Action,
}

/// What is done, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The same seed makes the same plan.
    pub seed: u64,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of this seed.
    #[must_use]
    pub fn new(seed: u64, length: usize) -> Self {
        let mut random = Random::new(seed);
        let mut chooser = Chooser { random: &mut random, users: USERS, groups: GROUPS };
        let mut steps = Vec::new();
        let step = |chooser: &mut Chooser<'_>, user: usize, action: Action| {
            let device = usize::from(chooser.random.once_in(2));
            Step { user, device, action }
        };
        // Without friends there is little to do: most pairs begin as such.
        for user in 0..USERS {
            for other in 0..user {
                if !chooser.random.once_in(4) {
                    steps.push(step(&mut chooser, user, Action::Request(other)));
                    steps.push(step(&mut chooser, other, Action::Accept(user)));
                }
            }
        }
        let mut model = Model::default();
        for Step { user, action, .. } in &steps {
            let _ = model.apply(*user, action);
        }
        while steps.len() < length {
            let user = chooser.user();
            let action =
                if model.groups.len() < GROUPS { chooser.create(user) } else { chooser.action(user) };
            // What is refused is done now and then; it would be most of what there is.
            let refused = model.clone().apply(user, &action).is_err();
            if refused && !chooser.random.once_in(REFUSED_ONCE_IN) {
                continue;
            }
            let _ = model.apply(user, &action);
            steps.push(step(&mut chooser, user, action));
        }
        Self { seed, steps }
    }

    /// How many steps of each method the model takes, and how many it refuses.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let mut model = Model::default();
        let names = Names { users: (1..=USERS as u64).collect(), groups: Vec::new() };
        let mut tally: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for Step { user, action, .. } in &self.steps {
            let (method, _) = names.request(*user, action, uuid::Uuid::nil());
            let (taken, refused) = tally.entry(method).or_default();
            *(if model.apply(*user, action).is_ok() { taken } else { refused }) += 1;
        }
        tally
    }

    /// Does it, with users made for it; says where system and model differ.
    ///
    /// # Errors
    /// The first difference.
    pub async fn run(&self, edges: &[String; 2]) -> Result<(), String> {
        let people = People::new(edges).await;
        let mut names = Names { users: people.ids(), groups: Vec::new() };
        let mut model = Model::default();
        let mut joinings = Joinings::default();
        let mut random = Random::new(!self.seed);
        for (number, Step { user, device, action }) in self.steps.iter().enumerate() {
            let expected = model.apply(*user, action);
            let (method, body) = names.request(*user, action, random.uuid());
            let answer = people.devices[*user][*device].call_json(method, body.clone()).await;
            let got = answer.as_ref().map(drop).map_err(|refusal| refusal.code);
            if got != expected {
                return Err(format!(
                    "step {number}: user {user} does {action:?} ({method} {body})\nthe model says {expected:?}\nthe system says {answer:?}"
                ));
            }
            if let (Action::Create { .. }, Ok(answer)) = (action, &answer) {
                names.groups.push(answer["group"].as_u64().unwrap());
            }
            if let Some(untold) = joinings.settle(&model, &people, &names).await {
                return Err(format!("step {number}: user {user} does {action:?}\n{untold}"));
            }
        }
        let mut differences = String::new();
        for (user, devices) in people.devices.iter().enumerate() {
            let expected = view::expected(&model, user, USERS);
            let seen = view::seen(&devices[0], &names, user).await;
            differences += &differ(user, &expected, &seen);
            for device in devices {
                differences += &check_pushes(device, &names, user, &model, &joinings).await;
                differences += &check_sync(device, &names, user).await;
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    /// A shorter plan that fails, too, found by leaving out steps for as long as `limit` lasts.
    pub async fn shrink(mut self, edges: &[String; 2], limit: Duration) -> Self {
        let deadline = Instant::now() + limit;
        let mut size = self.steps.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < self.steps.len() && Instant::now() < deadline {
                let mut shorter = self.clone();
                shorter.steps.drain(at..self.steps.len().min(at + size));
                if shorter.run(edges).await.is_err() {
                    self = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        self
    }
}

/// How often each user came into each group, and the place of the notice of the last time.
#[derive(Debug, Default)]
struct Joinings(BTreeMap<(usize, usize), (usize, u64)>);

impl Joinings {
    /// After a step: waits until each device of whoever became a member by it is told so. From then on it is told of everything.
    /// Says who is not.
    async fn settle(&mut self, model: &Model, people: &People, names: &Names) -> Option<String> {
        for (number, group) in model.groups.iter().enumerate() {
            for user in 0..USERS {
                let key = (user, number);
                if !group.talk.readers.contains_key(&user) {
                    // Whoever comes back does so anew.
                    if let Some((_, place)) = self.0.get_mut(&key) {
                        *place = 0;
                    }
                    continue;
                }
                let (times, place) = self.0.entry(key).or_default();
                if *place > 0 {
                    continue;
                }
                (*times, *place) = (*times + 1, group.talk.messages.len() as u64);
                let conversation: Conversation = names.conversation(user, Place::In(number)).parse().unwrap();
                for device in &people.devices[user] {
                    if !is_told(device, conversation, *times).await {
                        return Some(format!(
                            "user {user} became a member of group {number}, and is not told"
                        ));
                    }
                }
            }
        }
        None
    }

    /// Where the last joining of a user stands.
    fn place(&self, user: usize, group: usize) -> u64 {
        self.0.get(&(user, group)).map_or(1, |(_, place)| *place)
    }
}

/// Whether a device is told so many times that its user is in a group.
async fn is_told(device: &Device, conversation: Conversation, times: usize) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = device.waiting().iter().filter(|pushed| is_joining(pushed, conversation)).count();
        if told >= times || Instant::now() > deadline {
            return told >= times;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn is_joining(pushed: &Pushed, conversation: Conversation) -> bool {
    pushed.read::<JoinedEvent>().is_some_and(|event| Conversation::group(event.group) == conversation)
}

/// The users of one run.
struct People {
    /// By user, a device on each edge.
    devices: Vec<[Device; 2]>,
}

impl People {
    async fn new(edges: &[String; 2]) -> Self {
        /// Each run has its own, whatever the plan.
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let mut devices = Vec::new();
        for user in 0..USERS {
            let name = format!("user{user}.{run}");
            let first = Device::register(&edges[user % 2], &name).await;
            devices.push([first, Device::sign_in(&edges[(user + 1) % 2], &name).await]);
        }
        Self { devices }
    }

    fn ids(&self) -> Vec<u64> {
        self.devices.iter().map(|[first, _]| first.user.get()).collect()
    }
}

fn differ(user: usize, expected: &view::View, seen: &view::View) -> String {
    let mut differences = String::new();
    let lines: std::collections::BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
    for line in lines {
        let (model, system) = (expected.get(line), seen.get(line));
        if model != system {
            let _ = writeln!(differences, "user {user}, {line}\n  model  {model:?}\n  system {system:?}");
        }
    }
    differences
}

/// The messages that a device was pushed: of each conversation in order and once, and since the device was told that the user is
/// in it, all of them.
async fn check_pushes(
    device: &Device,
    names: &Names,
    user: usize,
    model: &Model,
    joinings: &Joinings,
) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let waiting = device.waiting();
        let mut problems = String::new();
        for place in view::places(user, USERS, names.groups.len()) {
            let conversation: Conversation = names.conversation(user, place).parse().unwrap();
            if let Some(problem) = problem_of_pushes(&waiting, conversation, place, user, model, joinings) {
                let _ = writeln!(problems, "user {user}, pushed {place}: {problem}");
            }
        }
        // What is late is no problem.
        if problems.is_empty() || Instant::now() > deadline {
            return problems;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn problem_of_pushes(
    waiting: &[Pushed],
    conversation: Conversation,
    place: Place,
    user: usize,
    model: &Model,
    joinings: &Joinings,
) -> Option<String> {
    let talk = match place {
        Place::With(other) => model.directs.get(&(user.min(other), user.max(other)))?,
        Place::In(group) => &model.groups[group].talk,
    };
    let joined = waiting.iter().rposition(|pushed| is_joining(pushed, conversation));
    let message = |pushed: &Pushed| {
        pushed.read::<NewEvent>().map(|event| event.0).filter(|entry| entry.conversation == conversation)
    };
    let places = |pushes: &[Pushed]| {
        pushes.iter().filter_map(message).map(|entry| entry.seq.get()).collect::<Vec<_>>()
    };
    let all = places(waiting);
    if all.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Some(format!("not in order, or twice: {all:?}"));
    }
    let last = talk.messages.len() as u64;
    match talk.readers.get(&user) {
        // Out for good: nothing that came later.
        None => {
            let words = [format!("left {user}"), format!("kicked {user}")];
            let is_out = |message: &model::Message| message.is_notice && words.contains(&message.text);
            let out = talk.messages.iter().rposition(is_out).map_or(0, |at| at as u64 + 1);
            all.last().is_some_and(|seq| *seq > out).then(|| format!("out since {out}, and got {all:?}"))
        }
        Some((first, _)) => {
            let (since, latest) = match (place, joined) {
                (Place::With(_), _) => (all, (*first).max(1)),
                // The message of the joining itself may come before or with the news of it; nothing was done until these came.
                (Place::In(group), Some(joined)) => {
                    let since = &waiting[joined..];
                    // An edge that could not see to it in time says so.
                    let is_late = since.iter().any(|pushed| pushed.name == "session.resync");
                    let latest = if is_late { last } else { joinings.place(user, group) };
                    (places(since), latest + 1)
                }
                (Place::In(_), None) => return Some("a member, and never told".into()),
            };
            let begin = since.first().copied().unwrap_or(last + 1);
            let whole: Vec<u64> = (begin..=last).collect();
            (since != whole || begin > latest).then(|| {
                format!("since the joining {since:?} of {last}, to begin with {latest} at the latest")
            })
        }
    }
}

/// A client that begins with nothing learns by syncs what the history says.
async fn check_sync(device: &Device, names: &Names, user: usize) -> String {
    let mut histories: BTreeMap<Conversation, Vec<Entry>> = BTreeMap::new();
    for place in view::places(user, USERS, names.groups.len()) {
        let conversation: Conversation = names.conversation(user, place).parse().unwrap();
        match device.whole(conversation).await {
            Ok(history) if history.is_empty() => {}
            Ok(history) => drop(histories.insert(conversation, history)),
            Err(refusal) if refusal.code == Code::NotFound => {}
            Err(refusal) => return format!("user {user}, {place}: {refusal:?}\n"),
        }
    }
    let everywhere: BTreeMap<Conversation, u64> = histories.keys().map(|at| (*at, 0)).collect();
    let (messages, _) = device.sync(everywhere.clone(), Some(everywhere.clone())).await;
    let mut synced: BTreeMap<Conversation, Vec<Entry>> = BTreeMap::new();
    for entry in messages {
        synced.entry(entry.conversation).or_default().push(entry);
    }
    let mut problems = String::new();
    for (conversation, history) in &histories {
        if synced.get(conversation) != Some(history) {
            let place = names.place(user, *conversation);
            let _ = writeln!(
                problems,
                "user {user}, {place:?}: sync {:?}\n  history {history:?}",
                synced.get(conversation)
            );
        }
    }
    // Who has every message, and knows of no change, is told each changed one, as it is.
    let have = histories.iter().map(|(at, history)| (*at, history.last().unwrap().seq.get())).collect();
    let (more, changed) = device.sync(have, Some(everywhere)).await;
    let mut expected: Vec<&Entry> = histories.values().flatten().filter(|entry| entry.revision > 0).collect();
    expected.sort_by_key(|entry| (entry.conversation, entry.revision));
    let mut told: Vec<&Entry> = changed.iter().collect();
    told.sort_by_key(|entry| (entry.conversation, entry.revision));
    if !more.is_empty() || told != expected {
        let _ = writeln!(problems, "user {user}: changed {told:?}\n  expected {expected:?}\n  new {more:?}");
    }
    problems
}
