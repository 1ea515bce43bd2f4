//! Histories of a server that keeps its promises, by seed: what the checker must accept.

use uuid::Uuid;

use super::{Event, Line, Mark, Operation, Step};
use crate::random::Random;

/// A history of a few people in a few conversations, who join, leave, send and block while answers get lost.
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

struct Message {
    seq: u64,
    user: u64,
    client_id: Uuid,
    body: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Pending,
    Stored(u64),
    Refused,
}

struct Open {
    user: u64,
    client_id: Uuid,
    body: u64,
    state: State,
}

/// A member with two devices.
struct Member {
    user: u64,
    inside: bool,
    first_seq: u64,
    shown: [u64; 2],
}

struct Conversation {
    name: String,
    members: Vec<Member>,
    messages: Vec<Message>,
    open: Vec<Open>,
    blocked: bool,
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

    fn open(&mut self) {
        for number in 0..1 + self.random.below(3) {
            let mut members = Vec::new();
            for index in 0..2 + self.random.below(3) {
                // Nobody is in two conversations; nothing here depends on it.
                let user = number * 10 + index + 1;
                for device in devices(user) {
                    self.say(Event::new(Operation::Resume, Step::Ok, user, device));
                }
                let join = |step| {
                    Event::new(Operation::Join, step, user, devices(user)[0]).within(format!("g{number}"))
                };
                self.say(join(Step::Invoke));
                self.say(join(Step::Ok));
                members.push(Member { user, inside: true, first_seq: 1, shown: [0, 0] });
            }
            let name = format!("g{number}");
            let (messages, open) = (Vec::new(), Vec::new());
            self.conversations.push(Conversation { name, members, messages, open, blocked: false });
        }
    }

    fn step(&mut self) {
        let count = self.conversations.len() as u64;
        let index = usize::try_from(self.random.below(count)).unwrap();
        match self.random.below(20) {
            0..=4 => self.invoke(index),
            5..=8 => self.commit(index),
            9..=12 => self.answer(index),
            13..=17 => self.deliver(index),
            18 => self.come_or_go(index),
            _ if self.random.once_in(8) => self.block(index),
            _ => {}
        }
    }

    fn invoke(&mut self, index: usize) {
        let members = &self.conversations[index].members;
        let inside: Vec<u64> =
            members.iter().filter(|member| member.inside).map(|member| member.user).collect();
        if inside.is_empty() {
            return;
        }
        let (user, client_id, body) = (*self.random.pick(&inside), self.random.uuid(), self.random.next());
        let conversation = &mut self.conversations[index];
        conversation.open.push(Open { user, client_id, body, state: State::Pending });
        let event = send(Step::Invoke, user, client_id, &conversation.name);
        self.say(Event { body: Some(body), ..event });
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
        let open = &mut conversation.open[*self.random.pick(&pending)];
        if refused || conversation.blocked {
            open.state = State::Refused;
            return;
        }
        let seq = conversation.messages.len() as u64 + 1;
        open.state = State::Stored(seq);
        let Open { user, client_id, body, .. } = *open;
        conversation.messages.push(Message { seq, user, client_id, body });
    }

    fn answer(&mut self, index: usize) {
        let count = self.conversations[index].open.len() as u64;
        if count == 0 {
            return;
        }
        let at = usize::try_from(self.random.below(count)).unwrap();
        let lost = self.random.once_in(6);
        self.settle(index, at, lost);
    }

    /// Ends an open send: with its answer, or, when that is lost or there is none, as unknown.
    fn settle(&mut self, index: usize, at: usize, lost: bool) {
        let conversation = &mut self.conversations[index];
        if conversation.open[at].state == State::Pending && !lost {
            return;
        }
        let Open { user, client_id, state, .. } = conversation.open.swap_remove(at);
        let name = conversation.name.clone();
        let event = match state {
            State::Stored(seq) if !lost => Event { seq: Some(seq), ..send(Step::Ok, user, client_id, &name) },
            State::Refused if !lost => send(Step::Fail, user, client_id, &name),
            _ => send(Step::Info, user, client_id, &name),
        };
        self.say(event);
    }

    fn deliver(&mut self, index: usize) {
        let count = self.conversations[index].members.len() as u64;
        let member = usize::try_from(self.random.below(count)).unwrap();
        let device = usize::from(self.random.once_in(2));
        self.deliver_to(index, member, device);
    }

    /// Whether there was something to deliver.
    fn deliver_to(&mut self, index: usize, member: usize, device: usize) -> bool {
        let conversation = &mut self.conversations[index];
        let Member { user, inside, shown, first_seq } = &mut conversation.members[member];
        let next = (shown[device] + 1).max(*first_seq);
        let Some(message) = conversation.messages.iter().find(|message| *inside && message.seq == next)
        else {
            return false;
        };
        shown[device] = next;
        let event = sight(Operation::Deliver, *user, devices(*user)[device], message, &conversation.name);
        self.say(event);
        true
    }

    fn come_or_go(&mut self, index: usize) {
        let conversation = &mut self.conversations[index];
        let name = conversation.name.clone();
        let next = conversation.messages.len() as u64 + 1;
        let open: Vec<u64> = conversation.open.iter().map(|open| open.user).collect();
        let pick = usize::try_from(self.random.below(conversation.members.len() as u64)).unwrap();
        let member = &mut conversation.members[pick];
        if open.contains(&member.user) {
            return;
        }
        member.inside = !member.inside;
        member.first_seq = next;
        let (user, inside) = (member.user, member.inside);
        let operation = if inside { Operation::Join } else { Operation::Leave };
        let event = |step| Event::new(operation, step, user, devices(user)[0]).within(&name);
        self.say(event(Step::Invoke));
        self.say(Event { seq: inside.then_some(next), ..event(Step::Ok) });
    }

    fn block(&mut self, index: usize) {
        let conversation = &mut self.conversations[index];
        conversation.blocked = true;
        let (name, user) = (conversation.name.clone(), conversation.members[0].user);
        let event = |step| Event::new(Operation::Block, step, user, devices(user)[0]).within(&name);
        self.say(event(Step::Invoke));
        self.say(event(Step::Ok));
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
                }
            }
        }
        self.lines.push(Line::Mark { at: self.at, mark: Mark::Drained, what: String::new() });
        let mut reads = Vec::new();
        for conversation in &self.conversations {
            for member in conversation.members.iter().filter(|member| member.inside) {
                let device = devices(member.user)[0];
                let sync =
                    |step| Event::new(Operation::Sync, step, member.user, device).within(&conversation.name);
                reads.push(sync(Step::Invoke));
                let visible = conversation.messages.iter().filter(|message| message.seq >= member.first_seq);
                reads.extend(
                    visible.map(|message| {
                        sight(Operation::Sync, member.user, device, message, &conversation.name)
                    }),
                );
                reads.push(sync(Step::Ok));
            }
        }
        for event in reads {
            self.say(event);
        }
    }
}

/// The devices of a user.
fn devices(user: u64) -> [u32; 2] {
    let user = u32::try_from(user).unwrap();
    [user * 2, user * 2 + 1]
}

fn send(step: Step, user: u64, client_id: Uuid, conversation: &str) -> Event {
    let event = Event::new(Operation::Send, step, user, devices(user)[0]).within(conversation);
    Event { client_id: Some(client_id), ..event }
}

fn sight(operation: Operation, user: u64, device: u32, message: &Message, conversation: &str) -> Event {
    Event {
        client_id: Some(message.client_id),
        seq: Some(message.seq),
        body: Some(message.body),
        from: Some(message.user),
        ..Event::new(operation, Step::Ok, user, device).within(conversation)
    }
}
