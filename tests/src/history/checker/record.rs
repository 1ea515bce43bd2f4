//! What the lines of a history say, put together by message, device, user and conversation.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::{Event, Line, Mark, Operation, Step, hash};
use super::Micros;
use super::stay::{Stay, Stays};

/// A message, from all that is known of its sending. A notice is one too: the operation that made it sent it.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) conversation: &'a str,
    pub(super) user: u64,
    pub(super) body: Option<u64>,
    pub(super) invoked: Micros,
    /// When it was acked, and with which place.
    pub(super) acked: Option<(Micros, u64)>,
    pub(super) failed: bool,
    /// When the sender stopped waiting, whatever came of it; and why it failed.
    pub(super) ended: Option<Micros>,
    pub(super) why: &'a str,
}

/// A message as somebody saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) at: Micros,
    pub(super) user: u64,
    pub(super) seq: u64,
    pub(super) client_id: Uuid,
    pub(super) event: &'a Event,
}

/// An operation on a group that stands in its conversation.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) by: u64,
    pub(super) invoked: Micros,
    pub(super) ended: Option<Micros>,
    pub(super) acked: Option<Micros>,
    pub(super) failed: bool,
    /// Of a joining or a leaving, which, and whose stay it begins or ends, by its index.
    pub(super) stay: Option<(Operation, u64, usize)>,
}

/// A change of a message.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) invoked: Micros,
    pub(super) acked: Option<Micros>,
    pub(super) failed: bool,
    /// What the message says then; none when the text stays.
    pub(super) body: Option<u64>,
    /// Which one it made, if it was acked.
    pub(super) revision: Option<u64>,
}

/// A conversation that nobody may write in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closure {
    pub(super) acked: Option<Micros>,
    pub(super) lifted: Option<Micros>,
}

/// A read of a whole conversation.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) user: u64,
    pub(super) conversation: &'a str,
    pub(super) invoked: Micros,
    /// When it ended, and whether it has everything.
    pub(super) ended: Option<(Micros, bool)>,
    pub(super) sights: Vec<Sight<'a>>,
}

impl Reading<'_> {
    /// When it was complete, if it was.
    pub(super) fn complete(&self) -> Option<Micros> {
        self.ended.and_then(|(at, complete)| complete.then_some(at))
    }
}

/// What a device shows of a conversation: which device, which conversation, and how often it has forgotten it before.
pub(super) type View<'a> = (u32, &'a str, u32);

#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) user: u64,
    pub(super) opened: Option<Micros>,
    pub(super) closed: Option<Micros>,
}

#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) messages: BTreeMap<Uuid, Message<'a>>,
    /// The same name for two sends.
    pub(super) reused: Vec<&'a Event>,
    /// What each device showed, by conversation, in order.
    pub(super) views: BTreeMap<View<'a>, Vec<Sight<'a>>>,
    /// How often a device forgot a conversation.
    forgotten: HashMap<(u32, &'a str), u32>,
    pub(super) readings: Vec<Reading<'a>>,
    /// By conversation, then by user.
    pub(super) stays: BTreeMap<&'a str, BTreeMap<u64, Stays>>,
    pub(super) closures: BTreeMap<&'a str, Vec<Closure>>,
    pub(super) devices: BTreeMap<u32, Device>,
    pub(super) acks: Vec<(&'a Event, u64)>,
    /// By conversation and notice, in the order of their beginnings.
    pub(super) changes: BTreeMap<(&'a str, &'a str), Vec<Change>>,
    /// Those of them that moved somebody, once they are tied to what stands there.
    pub(super) moves: Vec<Change>,
    /// By conversation and place.
    pub(super) edits: BTreeMap<(&'a str, u64), Vec<Edit>>,
    /// What each device showed a message to have become, in order.
    pub(super) updates: HashMap<(View<'a>, u64), Vec<&'a Event>>,
    pub(super) drained: Option<Micros>,
}

impl<'a> Record<'a> {
    pub(super) fn read(lines: &'a [Line]) -> Self {
        let mut record = Self::default();
        for line in lines {
            match line {
                Line::Event(event) => record.take(event),
                Line::Mark { at, mark: Mark::Drained, .. } => record.drained = Some(*at),
                Line::Mark { .. } | Line::Sample { .. } => {}
            }
        }
        record
    }

    fn take(&mut self, event: &'a Event) {
        let Event { at, step, operation, user, device, .. } = *event;
        let conversation = event.conversation.as_str();
        match operation {
            Operation::Resume | Operation::Close | Operation::Deliver => {
                let entry = self.devices.entry(device).or_default();
                entry.user = user;
                match (operation, step) {
                    (Operation::Resume, Step::Ok) => drop(entry.opened.get_or_insert(at)),
                    (Operation::Close, _) => entry.closed = Some(at),
                    _ => {}
                }
                if operation == Operation::Deliver
                    && let Some(sight) = sight(event)
                {
                    let view = self.view(device, conversation);
                    self.views.entry(view).or_default().push(sight);
                }
            }
            Operation::Send => self.take_send(event),
            Operation::Sync => self.take_sync(event),
            Operation::Join | Operation::Leave => {
                let stays = self.stays.entry(conversation).or_default().entry(user).or_default();
                let stay = stays.take(event);
                self.take_change(event, stay.map(|index| (operation, user, index)));
            }
            Operation::Change => self.take_change(event, None),
            Operation::Edit => self.take_edit(event),
            Operation::Update => {
                if let Some(seq) = event.seq {
                    let view = self.view(device, conversation);
                    self.updates.entry((view, seq)).or_default().push(event);
                }
            }
            Operation::Forget => *self.forgotten.entry((device, conversation)).or_default() += 1,
            Operation::Block | Operation::Unblock => self.take_block(event),
        }
    }

    fn take_send(&mut self, event: &'a Event) {
        let Some(client_id) = event.client_id else { return };
        if event.step == Step::Invoke {
            let message = Message {
                conversation: &event.conversation,
                user: event.user,
                body: event.body,
                invoked: event.at,
                acked: None,
                failed: false,
                ended: None,
                why: "",
            };
            if self.messages.insert(client_id, message).is_some() {
                self.reused.push(event);
            }
            return;
        }
        let Some(message) = self.messages.get_mut(&client_id) else { return };
        message.ended.get_or_insert(event.at);
        message.why = &event.why;
        match (event.step, event.seq) {
            (Step::Ok, Some(seq)) => {
                message.acked.get_or_insert((event.at, seq));
                self.acks.push((event, seq));
            }
            (Step::Fail, _) => message.failed = true,
            _ => {}
        }
    }

    fn take_sync(&mut self, event: &'a Event) {
        if event.step == Step::Invoke {
            self.readings.push(Reading {
                user: event.user,
                conversation: &event.conversation,
                invoked: event.at,
                ended: None,
                sights: Vec::new(),
            });
            return;
        }
        let open = self.readings.iter_mut().rev().find(|reading| {
            reading.ended.is_none()
                && reading.user == event.user
                && reading.conversation == event.conversation
        });
        let Some(reading) = open else { return };
        match sight(event) {
            Some(sight) => reading.sights.push(sight),
            None => reading.ended = Some((event.at, event.step == Step::Ok)),
        }
    }

    fn take_change(&mut self, event: &'a Event, stay: Option<(Operation, u64, usize)>) {
        let Some(notice) = event.notice.as_deref() else { return };
        let changes = self.changes.entry((&event.conversation, notice)).or_default();
        if event.step == Step::Invoke {
            let (by, invoked) = (event.from.unwrap_or(event.user), event.at);
            changes.push(Change { by, invoked, ended: None, acked: None, failed: false, stay });
            return;
        }
        let Some(change) = changes.iter_mut().rev().find(|change| change.ended.is_none()) else { return };
        change.ended = Some(event.at);
        change.acked = (event.step == Step::Ok).then_some(event.at);
        change.failed = event.step == Step::Fail;
    }

    fn take_edit(&mut self, event: &'a Event) {
        let Some(seq) = event.seq else { return };
        let edits = self.edits.entry((&event.conversation, seq)).or_default();
        if event.step == Step::Invoke {
            let (invoked, body) = (event.at, event.body);
            edits.push(Edit { invoked, acked: None, failed: false, body, revision: None });
            return;
        }
        let open = edits.iter_mut().rev().find(|edit| edit.acked.is_none() && !edit.failed);
        let Some(edit) = open else { return };
        edit.acked = (event.step == Step::Ok).then_some(event.at);
        edit.revision = event.revision;
        edit.failed = event.step == Step::Fail;
    }

    fn take_block(&mut self, event: &'a Event) {
        let closures = self.closures.entry(&event.conversation).or_default();
        match (event.operation, event.step) {
            (Operation::Block, Step::Invoke) => closures.push(Closure { acked: None, lifted: None }),
            (Operation::Block, Step::Ok) => {
                if let Some(open) = closures.iter_mut().rev().find(|closure| closure.acked.is_none()) {
                    open.acked = Some(event.at);
                }
            }
            (Operation::Unblock, Step::Invoke) => {
                for closure in closures {
                    closure.lifted.get_or_insert(event.at);
                }
            }
            _ => {}
        }
    }

    /// The device's last view of the conversation.
    pub(super) fn view(&self, device: u32, conversation: &'a str) -> View<'a> {
        let forgotten = self.forgotten.get(&(device, conversation)).copied().unwrap_or_default();
        (device, conversation, forgotten)
    }

    pub(super) fn stays(&self, conversation: &str, user: u64) -> &[Stay] {
        self.stays.get(conversation).and_then(|users| users.get(&user)).map_or(&[], Stays::all)
    }

    /// Who was ever in the conversation.
    pub(super) fn members(&self, conversation: &str) -> impl Iterator<Item = u64> {
        self.stays.get(conversation).into_iter().flat_map(|users| users.keys().copied())
    }

    /// Every sight of any message.
    pub(super) fn sights(&self) -> impl Iterator<Item = (&'a str, Sight<'a>)> {
        let views = self.views.iter().flat_map(|((_, conversation, _), sights)| {
            sights.iter().map(move |sight| (*conversation, *sight))
        });
        let readings = self
            .readings
            .iter()
            .flat_map(|reading| reading.sights.iter().map(move |sight| (reading.conversation, *sight)));
        views.chain(readings)
    }
}

fn sight(event: &Event) -> Option<Sight<'_>> {
    let seq = event.seq?;
    let client_id = match (&event.client_id, &event.notice) {
        (Some(client_id), _) => *client_id,
        (None, Some(notice)) => notice_id(&event.conversation, seq, notice),
        (None, None) => return None,
    };
    (event.step == Step::Ok).then_some(Sight { at: event.at, user: event.user, seq, client_id, event })
}

/// A notice has no `client_id`: its place and its words stand for one.
pub(in crate::history) fn notice_id(conversation: &str, seq: u64, notice: &str) -> Uuid {
    Uuid::from_u64_pair(hash(&format!("{conversation} {notice}")), seq)
}
