//! Histories of a server that keeps its promises, by seed: what the checker must accept.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Event, Line, Mark, Operation, Step, hash};
use crate::random::Random;

/// A history of a few people in a few conversations, of two and of groups, who join, leave, are put out, send, edit and block
/// while answers get lost.
pub(super) fn history(seed: u64) -> Vec<Line> {
    let mut model = Model { random: Random::new(seed), lines: Vec::new(), at: 0, conversations: Vec::new() };
    model.open();
    let steps = 100 + model.random.below(300);
    for _ in 0..steps {
        model.step();
    }
    model.close();
    model.lines
}

/// What stands at a place of a conversation: the first one at place 1.
struct Entry {
    user: u64,
    what: What,
    revision: u64,
    state: u64,
}

enum What {
    Message { client_id: Uuid, body: u64 },
    Notice(String),
}

#[derive(Clone)]
enum Task {
    Send {
        client_id: Uuid,
        body: u64,
    },
    /// `whom` comes or goes, by itself or by `by`.
    Move {
        operation: Operation,
        whom: u64,
        by: Option<u64>,
    },
    /// The message at `seq` gets another body, or a reaction.
    Edit {
        seq: u64,
        body: Option<u64>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Pending,
    /// With what it answers: a place, or a revision.
    Done(u64),
    Refused,
}

/// An operation that is under way.
struct Open {
    user: u64,
    task: Task,
    state: State,
}

/// A member with two devices.
struct Member {
    user: u64,
    inside: bool,
    /// It comes or goes, or nobody knows whether it did.
    moving: bool,
    first_seq: u64,
    last_seq: u64,
    /// By device, whether it forgot what it showed when its user left.
    forgets: [bool; 2],
    shown: [u64; 2],
    /// By device and place, the revision that it shows.
    revisions: [BTreeMap<u64, u64>; 2],
}

struct Conversation {
    name: String,
    /// Whether its changes are told; else it is one of two people who stay.
    is_group: bool,
    /// Whether who joins sees everything.
    is_whole: bool,
    members: Vec<Member>,
    entries: Vec<Entry>,
    open: Vec<Open>,
    blocked: bool,
    revision: u64,
}

impl Conversation {
    fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    fn member(&mut self, user: u64) -> &mut Member {
        self.members.iter_mut().find(|member| member.user == user).unwrap()
    }

    fn put(&mut self, user: u64, what: What) -> u64 {
        self.entries.push(Entry { user, what, revision: 0, state: 0 });
        self.last()
    }
}

struct Model {
    random: Random,
    lines: Vec<Line>,
    at: u64,
    conversations: Vec<Conversation>,
}

impl Model {
    fn say(&mut self, event: Event) {
        self.at += 1 + self.random.below(50);
        self.lines.push(Line::Event(Event { at: self.at, ..event }));
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.random.below(below as u64)).unwrap()
    }

    fn open(&mut self) {
        for number in 0..1 + self.random.below(3) {
            let is_group = !self.random.once_in(3);
            let name = if is_group { format!("g{number}") } else { format!("u{number}1-u{number}2") };
            let mut members = Vec::new();
            for index in 0..if is_group { 2 + self.random.below(3) } else { 2 } {
                // Nobody is in two conversations; nothing here depends on it.
                let user = number * 10 + index + 1;
                for device in devices(user) {
                    self.say(Event::new(Operation::Resume, Step::Ok, user, device));
                }
                let join = |step| Event::new(Operation::Join, step, user, devices(user)[0]).within(&name);
                self.say(join(Step::Invoke));
                self.say(Event { seq: Some(1), ..join(Step::Ok) });
                members.push(Member {
                    user,
                    inside: true,
                    moving: false,
                    first_seq: 1,
                    last_seq: u64::MAX,
                    forgets: [false; 2],
                    shown: [0, 0],
                    revisions: [BTreeMap::new(), BTreeMap::new()],
                });
            }
            let mut conversation = Conversation {
                name: name.clone(),
                is_group,
                is_whole: self.random.once_in(2),
                members,
                entries: Vec::new(),
                open: Vec::new(),
                blocked: false,
                revision: 0,
            };
            if is_group {
                let owner = conversation.members[0].user;
                conversation.put(owner, What::Notice("created".into()));
                let create = |step| {
                    let event = Event::new(Operation::Change, step, owner, devices(owner)[0]).within(&name);
                    Event { notice: Some("created".into()), ..event }
                };
                self.say(create(Step::Invoke));
                self.say(create(Step::Ok));
            }
            self.conversations.push(conversation);
        }
    }

    fn step(&mut self) {
        let index = self.index(self.conversations.len());
        match self.random.below(28) {
            0..=4 => self.invoke_send(index),
            5..=10 => self.commit(index),
            11..=15 => self.answer(index),
            16..=20 => self.deliver(index),
            21..=22 => self.invoke_move(index),
            23..=24 => self.invoke_edit(index),
            25 => self.update(index),
            26 => self.read_by_somebody(index),
            _ if self.random.once_in(8) => self.block(index),
            _ => {}
        }
    }

    fn begin(&mut self, index: usize, user: u64, task: Task) {
        let conversation = &mut self.conversations[index];
        let event = operation(&task, Step::Invoke, user, &conversation.name, conversation.is_whole);
        conversation.open.push(Open { user, task, state: State::Pending });
        self.say(event);
    }

    fn invoke_send(&mut self, index: usize) {
        let members = &self.conversations[index].members;
        let inside: Vec<u64> =
            members.iter().filter(|member| member.inside).map(|member| member.user).collect();
        if !inside.is_empty() {
            let user = *self.random.pick(&inside);
            let (client_id, body) = (self.random.uuid(), self.random.next());
            self.begin(index, user, Task::Send { client_id, body });
        }
    }

    /// Somebody but the owner leaves or is put out, comes or is taken in.
    fn invoke_move(&mut self, index: usize) {
        let by_owner = self.random.once_in(2);
        let pick = self.index(self.conversations[index].members.len());
        let conversation = &mut self.conversations[index];
        let owner = conversation.members[0].user;
        let member = &mut conversation.members[pick];
        if !conversation.is_group || pick == 0 || member.moving {
            return;
        }
        member.moving = true;
        let operation = if member.inside { Operation::Leave } else { Operation::Join };
        let (whom, by) = (member.user, by_owner.then_some(owner));
        self.begin(index, by.unwrap_or(whom), Task::Move { operation, whom, by });
    }

    fn invoke_edit(&mut self, index: usize) {
        let (pick, kind) = (self.random.next(), self.random.below(4));
        let conversation = &self.conversations[index];
        if conversation.entries.is_empty() {
            return;
        }
        let seq = pick % conversation.last() + 1;
        let Entry { user, what: What::Message { .. }, .. } = conversation.entries[place(seq)] else { return };
        let changing = |open: &Open| matches!(open.task, Task::Edit { seq: other, .. } if other == seq);
        if conversation.open.iter().any(changing) {
            return;
        }
        let body = match kind {
            0 => None,
            1 => Some(hash("")),
            _ => Some(self.random.next()),
        };
        self.begin(index, user, Task::Edit { seq, body });
    }

    fn commit(&mut self, index: usize) {
        let refused = self.random.once_in(10);
        let conversation = &mut self.conversations[index];
        let pending: Vec<usize> = (0..conversation.open.len())
            .filter(|at| conversation.open[*at].state == State::Pending)
            .collect();
        if pending.is_empty() {
            return;
        }
        let at = *self.random.pick(&pending);
        let Open { user, ref task, .. } = conversation.open[at];
        let task = task.clone();
        conversation.open[at].state =
            if refused { State::Refused } else { perform(conversation, user, &task) };
    }

    fn answer(&mut self, index: usize) {
        let count = self.conversations[index].open.len();
        if count > 0 {
            let at = self.index(count);
            let lost = self.random.once_in(6);
            self.settle(index, at, lost);
        }
    }

    /// Ends an open operation: with its answer, or, when that is lost or there is none, as unknown.
    fn settle(&mut self, index: usize, at: usize, lost: bool) {
        let conversation = &mut self.conversations[index];
        if conversation.open[at].state == State::Pending && !lost {
            return;
        }
        let Open { user, task, state } = conversation.open.swap_remove(at);
        let step = match state {
            State::Done(_) if !lost => Step::Ok,
            State::Refused if !lost => Step::Fail,
            _ => Step::Info,
        };
        let mut event = operation(&task, step, user, &conversation.name, conversation.is_whole);
        match (&task, state) {
            (Task::Send { .. }, State::Done(seq)) if step == Step::Ok => event.seq = Some(seq),
            (Task::Edit { .. }, State::Done(revision)) if step == Step::Ok => event.revision = Some(revision),
            // Whoever doesn't know where somebody is moves them no more.
            (Task::Move { whom, .. }, _) => conversation.member(*whom).moving = step == Step::Info,
            _ => {}
        }
        self.say(event);
    }

    fn deliver(&mut self, index: usize) {
        let member = self.index(self.conversations[index].members.len());
        let device = usize::from(self.random.once_in(2));
        self.deliver_to(index, member, device);
    }

    /// Whether there was something to deliver. What was on its way may still come to who has left, but not what it became.
    fn deliver_to(&mut self, index: usize, member: usize, device: usize) -> bool {
        self.forget(index, member, device);
        let conversation = &mut self.conversations[index];
        let Member { user, inside, shown, first_seq, last_seq, revisions, .. } =
            &mut conversation.members[member];
        let seq = (shown[device] + 1).max(*first_seq);
        let comes = |entry: &&Entry| seq <= *last_seq && (*inside || entry.revision == 0);
        let Some(entry) = conversation.entries.get(place(seq)).filter(comes) else {
            return false;
        };
        shown[device] = seq;
        revisions[device].insert(seq, entry.revision);
        let event = sight(Operation::Deliver, *user, devices(*user)[device], seq, entry, &conversation.name);
        self.say(event);
        true
    }

    /// A device whose user is back begins anew, if it forgot.
    fn forget(&mut self, index: usize, member: usize, device: usize) {
        let conversation = &mut self.conversations[index];
        let Member { user, inside, forgets, shown, revisions, .. } = &mut conversation.members[member];
        if *inside && std::mem::take(&mut forgets[device]) {
            shown[device] = 0;
            revisions[device].clear();
            let event = Event::new(Operation::Forget, Step::Ok, *user, devices(*user)[device]);
            let event = event.within(&conversation.name);
            self.say(event);
        }
    }

    /// A device of a member learns what a message has become.
    fn update(&mut self, index: usize) {
        let member = self.index(self.conversations[index].members.len());
        let device = usize::from(self.random.once_in(2));
        self.update_of(index, member, device);
    }

    fn update_of(&mut self, index: usize, member: usize, device: usize) -> bool {
        self.forget(index, member, device);
        let conversation = &mut self.conversations[index];
        let Member { user, inside, first_seq, revisions, .. } = &mut conversation.members[member];
        // Whoever is back isn't told what became of what stands before the joining.
        let behind = |(seq, revision): &(&u64, &mut u64)| {
            **seq >= *first_seq && conversation.entries[place(**seq)].revision > **revision
        };
        let Some((&seq, revision)) = revisions[device].iter_mut().find(behind).filter(|_| *inside) else {
            return false;
        };
        let entry = &conversation.entries[place(seq)];
        *revision = entry.revision;
        let event = sight(Operation::Update, *user, devices(*user)[device], seq, entry, &conversation.name);
        self.say(event);
        true
    }

    fn block(&mut self, index: usize) {
        let conversation = &mut self.conversations[index];
        if conversation.is_group {
            return;
        }
        conversation.blocked = true;
        let (name, user) = (conversation.name.clone(), conversation.members[0].user);
        let event = |step| Event::new(Operation::Block, step, user, devices(user)[0]).within(&name);
        self.say(event(Step::Invoke));
        self.say(event(Step::Ok));
    }

    fn read_by_somebody(&mut self, index: usize) {
        let member = self.index(self.conversations[index].members.len());
        self.read(index, member);
    }

    fn read(&mut self, index: usize, member: usize) {
        let conversation = &self.conversations[index];
        let Member { user, inside, first_seq, .. } = conversation.members[member];
        let device = devices(user)[0];
        let sync = |step| Event::new(Operation::Sync, step, user, device).within(&conversation.name);
        let mut events = vec![sync(Step::Invoke)];
        if inside {
            for (seq, entry) in (1..).zip(&conversation.entries).filter(|(seq, _)| *seq >= first_seq) {
                events.push(sight(Operation::Sync, user, device, seq, entry, &conversation.name));
            }
        }
        events.push(sync(if inside { Step::Ok } else { Step::Fail }));
        for event in events {
            self.say(event);
        }
    }

    fn close(&mut self) {
        for index in 0..self.conversations.len() {
            while !self.conversations[index].open.is_empty() {
                let lost = self.conversations[index].open[0].state == State::Pending;
                self.settle(index, 0, lost);
            }
            for member in 0..self.conversations[index].members.len() {
                for device in 0..2 {
                    while self.deliver_to(index, member, device) {}
                    while self.update_of(index, member, device) {}
                }
            }
        }
        self.lines.push(Line::Mark { at: self.at, mark: Mark::Drained, what: String::new() });
        for index in 0..self.conversations.len() {
            for member in 0..self.conversations[index].members.len() {
                self.read(index, member);
            }
        }
    }
}

/// Does what is under way, unless it may not be done.
fn perform(conversation: &mut Conversation, user: u64, task: &Task) -> State {
    let closed = conversation.blocked || !conversation.member(user).inside;
    match *task {
        Task::Send { .. } | Task::Edit { .. } if closed => State::Refused,
        Task::Send { client_id, body } => {
            State::Done(conversation.put(user, What::Message { client_id, body }))
        }
        Task::Move { operation, whom, .. } => {
            let seq = conversation.put(user, What::Notice(notice(task)));
            let is_whole = conversation.is_whole;
            let member = conversation.member(whom);
            member.inside = operation == Operation::Join;
            if member.inside {
                // Who never had the conversation begins with the joining.
                member.first_seq = if is_whole { 1 } else { seq };
                member.last_seq = u64::MAX;
            } else {
                // One's own end of it comes as an event of another kind.
                member.last_seq = seq - 1;
                member.forgets = [seq.is_multiple_of(2), seq.is_multiple_of(3)];
            }
            State::Done(seq)
        }
        Task::Edit { seq, body } => {
            let revision = conversation.revision + 1;
            let Entry { what: What::Message { body: now, .. }, revision: last, state, .. } =
                &mut conversation.entries[place(seq)]
            else {
                return State::Refused;
            };
            if *now == hash("") {
                return State::Refused;
            }
            match body {
                Some(body) => *now = body,
                None => *state += 1,
            }
            (*last, conversation.revision) = (revision, revision);
            State::Done(revision)
        }
    }
}

/// Where a message is among those of its conversation.
fn place(seq: u64) -> usize {
    usize::try_from(seq - 1).unwrap()
}

/// The devices of a user.
fn devices(user: u64) -> [u32; 2] {
    let user = u32::try_from(user).unwrap();
    [user * 2, user * 2 + 1]
}

/// What stands in the conversation when somebody has come or gone.
fn notice(task: &Task) -> String {
    match task {
        Task::Move { operation: Operation::Join, whom, .. } => format!("joined {whom}"),
        Task::Move { whom, by: Some(_), .. } => format!("kicked {whom}"),
        Task::Move { whom, .. } => format!("left {whom}"),
        Task::Send { .. } | Task::Edit { .. } => String::new(),
    }
}

/// A step of an operation.
fn operation(task: &Task, step: Step, user: u64, conversation: &str, is_whole: bool) -> Event {
    let event =
        |operation, user: u64| Event::new(operation, step, user, devices(user)[0]).within(conversation);
    match *task {
        Task::Send { client_id, body } => Event {
            client_id: Some(client_id),
            body: (step == Step::Invoke).then_some(body),
            ..event(Operation::Send, user)
        },
        Task::Move { operation, whom, by } => Event {
            from: by,
            notice: Some(notice(task)),
            seq: (operation == Operation::Join && is_whole).then_some(1),
            ..event(operation, whom)
        },
        Task::Edit { seq, body } => Event { seq: Some(seq), body, ..event(Operation::Edit, user) },
    }
}

fn sight(operation: Operation, user: u64, device: u32, seq: u64, entry: &Entry, conversation: &str) -> Event {
    let event = Event {
        seq: Some(seq),
        from: Some(entry.user),
        revision: Some(entry.revision),
        state: Some(entry.state),
        ..Event::new(operation, Step::Ok, user, device).within(conversation)
    };
    match &entry.what {
        What::Message { client_id, body } => {
            Event { client_id: Some(*client_id), body: Some(*body), ..event }
        }
        What::Notice(notice) => Event { notice: Some(notice.clone()), ..event },
    }
}
