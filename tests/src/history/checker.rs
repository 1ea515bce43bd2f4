//! The judge: nine properties of what clients saw, and the bounds of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{Event, Line, Mark, Micros, Operation, Step};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// What was acked is in the view and the history of everyone who may see it.
    I1,
    /// No message that nobody sent, or that says something else than was sent.
    I2,
    /// A `client_id` has one place.
    I3,
    /// No view has a message twice.
    I4,
    /// A place has the same message for all, and none is left out.
    I5,
    /// On each device, places only grow.
    I6,
    /// What was acked before another send began has the smaller place.
    I7,
    /// Nothing is delivered or read outside membership, or was sent after an acked block.
    I8,
    /// A send whose answer is unknown is absent for all, or present for all.
    I9,
    /// Recovery, memory and file descriptors are bounded.
    I10,
}

/// One breach, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Of what.
    pub invariant: Invariant,
    /// Where; empty for [`Invariant::I10`].
    pub conversation: String,
    /// Which message, by its place.
    pub seq: Option<u64>,
    /// Which message, by its name.
    pub client_id: Option<Uuid>,
    /// Who saw it, or should have.
    pub users: Vec<u64>,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)?;
        if !self.conversation.is_empty() {
            write!(f, "; conversation {}", self.conversation)?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", seq {seq}")?;
        }
        if let Some(client_id) = self.client_id {
            write!(f, ", client_id {client_id}")?;
        }
        if !self.users.is_empty() {
            write!(f, ", users {:?}", self.users)?;
        }
        Ok(())
    }
}

/// What a run has to keep ([`Invariant::I10`]); what is absent is not judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// From each heal until everyone could send again and has what was acked before; and from an ack after it until
    /// everyone has the message.
    pub recovery: Option<Duration>,
    /// Resident memory of each process, in bytes.
    pub resident: Option<u64>,
    /// Open files of each process.
    pub descriptors: Option<u64>,
}

/// What a history amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sends that were acked.
    pub acked: usize,
    /// Sends that did not happen.
    pub failed: usize,
    /// Sends of which nobody knows.
    pub unknown: usize,
    /// Messages shown to a user.
    pub delivered: usize,
    /// Connections that a device lost.
    pub disconnects: usize,
    /// Sessions that were declared over.
    pub sessions_lost: usize,
    /// The longest recovery, see [`Bounds::recovery`]. None without a heal.
    pub recovery: Option<Duration>,
    /// The longest time from a heal until a user, who tried, had a send acked.
    pub first_success: Option<Duration>,
    /// The longest time from an ack, or from the heal if that was later, until a device had the message.
    pub last_delivery: Option<Duration>,
    /// The most memory of any process, in bytes.
    pub resident: u64,
    /// The most open files of any process.
    pub descriptors: u64,
}

/// The verdict.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each breach; none is good.
    pub violations: Vec<Violation>,
    /// What the history amounts to.
    pub figures: Figures,
}

impl Report {
    /// Whether nothing was breached.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Judges a history.
#[must_use]
pub fn check(lines: &[Line], bounds: &Bounds) -> Report {
    let history = History::read(lines);
    let mut judge = Judge { history: &history, violations: Vec::new() };
    judge.bodies_and_places();
    judge.views();
    judge.acked_and_unknown();
    judge.ack_order();
    judge.membership();
    let mut violations = judge.violations;
    let figures = figures(&history, lines);
    violations.extend(breaches(&figures, bounds));
    Report { violations, figures }
}

/// A send, from all that is known of it.
#[derive(Debug)]
struct Send<'a> {
    conversation: &'a str,
    user: u64,
    body: Option<u64>,
    invoked: Micros,
    /// When it was acked, and with which place.
    acked: Option<(Micros, u64)>,
    failed: bool,
}

/// A message as somebody saw it.
#[derive(Debug, Clone, Copy)]
struct Sight<'a> {
    at: Micros,
    user: u64,
    seq: u64,
    client_id: Uuid,
    event: &'a Event,
}

/// A stay in a conversation.
#[derive(Debug, Clone, Copy)]
struct Stay {
    /// The join was invoked: from here on it may be seen.
    maybe_from: Micros,
    /// The join was acked: from here on it must be seen.
    surely_from: Option<Micros>,
    first_seq: u64,
    /// The leave was invoked: from here on it need not be seen.
    surely_until: Option<Micros>,
    /// The leave was acked: from here on it must not be seen.
    maybe_until: Option<Micros>,
}

/// A conversation that nobody may write in.
#[derive(Debug, Clone, Copy)]
struct Closure {
    acked: Option<Micros>,
    lifted: Option<Micros>,
}

/// A read of a whole conversation.
#[derive(Debug)]
struct Reading<'a> {
    user: u64,
    conversation: &'a str,
    invoked: Micros,
    complete: Option<Micros>,
    sights: Vec<Sight<'a>>,
}

#[derive(Debug, Default)]
struct Device {
    user: u64,
    opened: Option<Micros>,
    closed: Option<Micros>,
}

#[derive(Default)]
struct History<'a> {
    sends: BTreeMap<Uuid, Send<'a>>,
    /// The same name for two sends.
    reused: Vec<&'a Event>,
    /// What each device showed, by conversation, in order.
    views: BTreeMap<(u32, &'a str), Vec<Sight<'a>>>,
    readings: Vec<Reading<'a>>,
    stays: BTreeMap<(&'a str, u64), Vec<Stay>>,
    closures: BTreeMap<&'a str, Vec<Closure>>,
    devices: BTreeMap<u32, Device>,
    acks: Vec<(&'a Event, u64)>,
    drained: Option<Micros>,
}

impl<'a> History<'a> {
    fn read(lines: &'a [Line]) -> Self {
        let mut history = Self::default();
        for line in lines {
            match line {
                Line::Event(event) => history.take(event),
                Line::Mark { at, mark: Mark::Drained, .. } => history.drained = Some(*at),
                Line::Mark { .. } | Line::Sample { .. } => {}
            }
        }
        history
    }

    fn take(&mut self, event: &'a Event) {
        let Event { at, step, operation, user, device, .. } = *event;
        let conversation = event.conversation.as_str();
        let entry = self.devices.entry(device).or_default();
        entry.user = user;
        match operation {
            Operation::Resume if step == Step::Ok => {
                entry.opened.get_or_insert(at);
            }
            Operation::Resume => {}
            Operation::Close => entry.closed = Some(at),
            Operation::Send => self.take_send(event),
            Operation::Deliver => {
                if let Some(sight) = sight(event) {
                    self.views.entry((device, conversation)).or_default().push(sight);
                }
            }
            Operation::Sync => self.take_sync(event),
            Operation::Join | Operation::Leave => self.take_stay(event),
            Operation::Block => {
                let closures = self.closures.entry(conversation).or_default();
                match step {
                    Step::Invoke => closures.push(Closure { acked: None, lifted: None }),
                    Step::Ok => {
                        if let Some(open) = closures.iter_mut().rev().find(|closure| closure.acked.is_none())
                        {
                            open.acked = Some(at);
                        }
                    }
                    Step::Fail | Step::Info => {}
                }
            }
            Operation::Unblock if step == Step::Invoke => {
                for closure in self.closures.entry(conversation).or_default() {
                    closure.lifted.get_or_insert(at);
                }
            }
            Operation::Unblock => {}
        }
    }

    fn take_send(&mut self, event: &'a Event) {
        let Some(client_id) = event.client_id else { return };
        match event.step {
            Step::Invoke => {
                let send = Send {
                    conversation: &event.conversation,
                    user: event.user,
                    body: event.body,
                    invoked: event.at,
                    acked: None,
                    failed: false,
                };
                if self.sends.insert(client_id, send).is_some() {
                    self.reused.push(event);
                }
            }
            Step::Ok => {
                if let (Some(send), Some(seq)) = (self.sends.get_mut(&client_id), event.seq) {
                    send.acked.get_or_insert((event.at, seq));
                    self.acks.push((event, seq));
                }
            }
            Step::Fail => {
                if let Some(send) = self.sends.get_mut(&client_id) {
                    send.failed = true;
                }
            }
            Step::Info => {}
        }
    }

    fn take_sync(&mut self, event: &'a Event) {
        if event.step == Step::Invoke {
            self.readings.push(Reading {
                user: event.user,
                conversation: &event.conversation,
                invoked: event.at,
                complete: None,
                sights: Vec::new(),
            });
            return;
        }
        let open = self.readings.iter_mut().rev().find(|reading| {
            reading.complete.is_none()
                && reading.user == event.user
                && reading.conversation == event.conversation
        });
        let (Some(reading), Step::Ok) = (open, event.step) else { return };
        match sight(event) {
            Some(sight) => reading.sights.push(sight),
            None => reading.complete = Some(event.at),
        }
    }

    fn take_stay(&mut self, event: &'a Event) {
        let stays = self.stays.entry((&event.conversation, event.user)).or_default();
        match (event.operation, event.step, stays.last_mut()) {
            (Operation::Join, Step::Invoke, _) => stays.push(Stay {
                maybe_from: event.at,
                surely_from: None,
                first_seq: 1,
                surely_until: None,
                maybe_until: None,
            }),
            (Operation::Join, Step::Ok, Some(stay)) => {
                stay.surely_from = Some(event.at);
                stay.first_seq = event.seq.unwrap_or(1);
            }
            (Operation::Join, Step::Fail, Some(_)) => drop(stays.pop()),
            (Operation::Leave, Step::Invoke, Some(stay)) => {
                stay.surely_until.get_or_insert(event.at);
            }
            (Operation::Leave, Step::Ok, Some(stay)) => {
                stay.maybe_until.get_or_insert(event.at);
            }
            (Operation::Leave, Step::Fail, Some(stay)) => stay.surely_until = None,
            _ => {}
        }
    }

    fn stays(&self, conversation: &'a str, user: u64) -> &[Stay] {
        self.stays.get(&(conversation, user)).map_or(&[], Vec::as_slice)
    }

    /// Whether the user was in the conversation during all of `from..=until`, and may see this place.
    fn must_see(&self, conversation: &'a str, user: u64, seq: u64, from: Micros, until: Micros) -> bool {
        self.stays(conversation, user).iter().any(|stay| {
            stay.surely_from.is_some_and(|joined| joined <= from)
                && stay.surely_until.is_none_or(|left| until <= left)
                && seq >= stay.first_seq
        })
    }

    fn members(&self, conversation: &'a str) -> impl Iterator<Item = u64> {
        let first = (conversation, 0);
        self.stays
            .range(first..)
            .take_while(move |((name, _), _)| *name == conversation)
            .map(|((_, user), _)| *user)
    }

    /// Every sight of any message.
    fn sights(&self) -> impl Iterator<Item = (&'a str, Sight<'a>)> {
        let views = self
            .views
            .iter()
            .flat_map(|((_, conversation), sights)| sights.iter().map(move |sight| (*conversation, *sight)));
        let readings = self
            .readings
            .iter()
            .flat_map(|reading| reading.sights.iter().map(move |sight| (reading.conversation, *sight)));
        views.chain(readings)
    }
}

fn sight(event: &Event) -> Option<Sight<'_>> {
    let (seq, client_id) = (event.seq?, event.client_id?);
    (event.step == Step::Ok).then_some(Sight { at: event.at, user: event.user, seq, client_id, event })
}

struct Judge<'a> {
    history: &'a History<'a>,
    violations: Vec<Violation>,
}

impl<'a> Judge<'a> {
    fn name(
        &mut self,
        invariant: Invariant,
        conversation: &str,
        (seq, client_id): (Option<u64>, Option<Uuid>),
        users: impl IntoIterator<Item = u64>,
        what: impl Into<String>,
    ) {
        let users: BTreeSet<u64> = users.into_iter().collect();
        self.violations.push(Violation {
            invariant,
            conversation: conversation.to_owned(),
            seq,
            client_id,
            users: users.into_iter().collect(),
            what: what.into(),
        });
    }

    /// I2, I3, and the half of I5 that a place holds one message.
    fn bodies_and_places(&mut self) {
        for event in &self.history.reused {
            let which = (None, event.client_id);
            self.name(
                Invariant::I3,
                &event.conversation,
                which,
                [event.user],
                "the client used a name twice",
            );
        }
        let mut places: BTreeMap<Uuid, BTreeMap<u64, BTreeSet<u64>>> = BTreeMap::new();
        let mut holders: BTreeMap<(&str, u64), BTreeMap<Uuid, BTreeSet<u64>>> = BTreeMap::new();
        for (event, seq) in &self.history.acks {
            let Some(client_id) = event.client_id else { continue };
            places.entry(client_id).or_default().entry(*seq).or_default().insert(event.user);
            let holder = holders.entry((&event.conversation, *seq)).or_default();
            holder.entry(client_id).or_default().insert(event.user);
        }
        let mut named = HashSet::new();
        for (conversation, Sight { seq, client_id, event, user, .. }) in self.history.sights() {
            places.entry(client_id).or_default().entry(seq).or_default().insert(user);
            holders.entry((conversation, seq)).or_default().entry(client_id).or_default().insert(user);
            let which = (Some(seq), Some(client_id));
            let wrong = match self.history.sends.get(&client_id) {
                None => Some("nobody sent this message"),
                Some(send) if send.conversation != conversation => {
                    Some("the message was sent to another conversation")
                }
                Some(send) if send.body != event.body => {
                    Some("the message says something else than was sent")
                }
                Some(send) if event.from.is_some_and(|from| from != send.user) => {
                    Some("the message is said to be from somebody else")
                }
                Some(send) if send.failed => Some("the send was refused, and the message is there"),
                Some(_) => None,
            };
            if let Some(wrong) = wrong
                && named.insert((client_id, user, wrong))
            {
                self.name(Invariant::I2, conversation, which, [user], wrong);
            }
        }
        for (client_id, seqs) in places {
            if seqs.len() > 1 {
                let conversation = self.history.sends.get(&client_id).map_or("", |send| send.conversation);
                let what = format!("one message has the places {:?}", seqs.keys().collect::<Vec<_>>());
                let users = seqs.values().flatten().copied();
                self.name(
                    Invariant::I3,
                    conversation,
                    (seqs.keys().next().copied(), Some(client_id)),
                    users,
                    what,
                );
            }
        }
        for ((conversation, seq), ids) in holders {
            if ids.len() > 1 {
                let what =
                    format!("one place has {} messages, {:?}", ids.len(), ids.keys().collect::<Vec<_>>());
                let users = ids.values().flatten().copied();
                self.name(Invariant::I5, conversation, (Some(seq), ids.keys().next().copied()), users, what);
            }
        }
    }

    /// I4, I6, and the half of I5 that nothing is left out.
    fn views(&mut self) {
        let known: HashMap<(&str, u64), Uuid> = self
            .history
            .sights()
            .map(|(conversation, sight)| ((conversation, sight.seq), sight.client_id))
            .collect();
        for ((device, conversation), sights) in &self.history.views {
            let Some(user) = sights.first().map(|sight| sight.user) else { continue };
            self.order(conversation, sights, &format!("device {device}"));
            self.gaps(conversation, user, sights, None, &known, &format!("device {device}"));
        }
        for reading in &self.history.readings {
            self.order(reading.conversation, &reading.sights, "a read");
            if let complete @ Some(_) = reading.complete {
                self.gaps(reading.conversation, reading.user, &reading.sights, complete, &known, "a read");
            }
        }
    }

    fn order(&mut self, conversation: &str, sights: &[Sight<'_>], whose: &str) {
        let (mut seqs, mut ids, mut last) = (HashSet::new(), HashSet::new(), 0);
        for sight in sights {
            let which = (Some(sight.seq), Some(sight.client_id));
            if !seqs.insert(sight.seq) | !ids.insert(sight.client_id) {
                self.name(Invariant::I4, conversation, which, [sight.user], format!("{whose} has it twice"));
            } else if sight.seq < last {
                let what = format!("{whose} has it after {last}");
                self.name(Invariant::I6, conversation, which, [sight.user], what);
            }
            last = last.max(sight.seq);
        }
    }

    /// Places between the first and the last that were left out, though the user may see them.
    fn gaps(
        &mut self,
        conversation: &'a str,
        user: u64,
        sights: &[Sight<'a>],
        read: Option<Micros>,
        known: &HashMap<(&str, u64), Uuid>,
        whose: &str,
    ) {
        let has: BTreeSet<u64> = sights.iter().map(|sight| sight.seq).collect();
        let (Some(first), Some(last)) = (has.first(), has.last()) else { return };
        // A read of all begins at the beginning; a device's view where it began. Who leaves may miss what was under way.
        let (first, until) = read.map_or((*first, Micros::MAX), |complete| (1, complete));
        for seq in (first..*last).filter(|seq| !has.contains(seq)) {
            let id = known.get(&(conversation, seq)).copied();
            let send = id.and_then(|id| self.history.sends.get(&id));
            let free = match send {
                Some(send) => !self.history.must_see(conversation, user, seq, send.invoked, until),
                // Nobody saw it; only someone who was there all the time can say that it is missing.
                None => {
                    self.history.stays(conversation, user).len() > 1
                        || !self.history.must_see(conversation, user, seq, Micros::MAX, until)
                }
            };
            if !free {
                self.name(Invariant::I5, conversation, (Some(seq), id), [user], format!("{whose} has a gap"));
            }
        }
    }

    /// I1 and I9: each message is there for all who may see it, or, if its send is unknown, for none.
    fn acked_and_unknown(&mut self) {
        let mut seen: HashMap<(u32, Uuid), ()> = HashMap::new();
        for ((device, _), sights) in &self.history.views {
            seen.extend(sights.iter().map(|sight| ((*device, sight.client_id), ())));
        }
        let readings: Vec<(&Reading<'_>, HashSet<Uuid>)> = self
            .history
            .readings
            .iter()
            .filter(|reading| reading.complete.is_some())
            .map(|reading| (reading, reading.sights.iter().map(|sight| sight.client_id).collect()))
            .collect();
        let places: HashMap<Uuid, u64> =
            self.history.sights().map(|(_, sight)| (sight.client_id, sight.seq)).collect();
        for reading in self.history.readings.iter().filter(|reading| reading.complete.is_none()) {
            let what = "the history can't be read";
            self.name(Invariant::I1, reading.conversation, (None, None), [reading.user], what);
        }
        for (&client_id, send) in &self.history.sends {
            let (invariant, acked, seq) = match (send.acked, places.get(&client_id)) {
                (Some((acked, seq)), _) => (Invariant::I1, acked, seq),
                (None, Some(seq)) if !send.failed => (Invariant::I9, Micros::MAX, *seq),
                _ => continue,
            };
            let (mut views, mut reads) = (BTreeSet::new(), BTreeSet::new());
            let conversation = send.conversation;
            let must = |user: u64, until: Micros| {
                self.history.must_see(conversation, user, seq, send.invoked, until)
            };
            for (number, device) in &self.history.devices {
                let opened = device.opened.is_some_and(|opened| opened <= send.invoked);
                let stays = device.closed.is_none() && must(device.user, Micros::MAX);
                if opened && stays && !seen.contains_key(&(*number, client_id)) {
                    views.insert(device.user);
                }
            }
            for (reading, ids) in &readings {
                let complete = reading.complete.unwrap_or(Micros::MAX);
                let member = reading.conversation == conversation && must(reading.user, complete);
                // What is unknown may be stored while somebody reads, but not once all is quiet.
                let later =
                    acked <= reading.invoked || self.history.drained.is_some_and(|at| at <= reading.invoked);
                if member && later && !ids.contains(&client_id) {
                    reads.insert(reading.user);
                }
            }
            let state = if invariant == Invariant::I1 { "acked" } else { "unknown, but there for others" };
            let which = (Some(seq), Some(client_id));
            for (missing, place) in [(views, "the view"), (reads, "the history")] {
                if !missing.is_empty() {
                    let what = format!("{state}, and not in {place} of all");
                    self.name(invariant, conversation, which, missing, what);
                }
            }
        }
    }

    /// I7, by a walk through time: the largest acked place so far, against the place of what is invoked now.
    fn ack_order(&mut self) {
        let mut place: HashMap<Uuid, u64> =
            self.history.sights().map(|(_, sight)| (sight.client_id, sight.seq)).collect();
        let mut moments: BTreeMap<&str, Vec<(Micros, bool, u64, Uuid)>> = BTreeMap::new();
        for (&client_id, send) in &self.history.sends {
            if let Some((_, seq)) = send.acked {
                place.insert(client_id, seq);
            }
            let Some(&seq) = place.get(&client_id) else { continue };
            let moments = moments.entry(send.conversation).or_default();
            // At the same moment nothing is before anything: the invocation is looked at first.
            moments.push((send.invoked, false, seq, client_id));
            if let Some((acked, _)) = send.acked {
                moments.push((acked, true, seq, client_id));
            }
        }
        for (conversation, mut moments) in moments {
            moments.sort_unstable();
            let mut largest: Option<(u64, Uuid)> = None;
            for (_, is_ack, seq, client_id) in moments {
                if is_ack {
                    largest = largest.max(Some((seq, client_id)));
                } else if let Some((before, other)) = largest
                    && before > seq
                {
                    let what =
                        format!("began after {other} was acked at place {before}, and stands before it");
                    let users = self.history.sends.get(&client_id).map(|send| send.user);
                    self.name(Invariant::I7, conversation, (Some(seq), Some(client_id)), users, what);
                }
            }
        }
    }

    /// I8.
    fn membership(&mut self) {
        for sights in self.history.views.values() {
            for sight in sights {
                self.leak(&sight.event.conversation, *sight, None);
            }
        }
        for reading in &self.history.readings {
            for sight in &reading.sights {
                self.leak(reading.conversation, *sight, Some(reading.invoked));
            }
        }
        for (client_id, send) in &self.history.sends {
            let Some((_, seq)) = send.acked else { continue };
            let closed = self.history.closures.get(send.conversation).is_some_and(|closures| {
                closures.iter().any(|closure| {
                    closure.acked.is_some_and(|acked| acked < send.invoked)
                        && closure.lifted.is_none_or(|lifted| send.acked.is_some_and(|(at, _)| at < lifted))
                })
            });
            let left = !self
                .history
                .stays(send.conversation, send.user)
                .iter()
                .any(|stay| stay.maybe_until.is_none_or(|left| send.invoked <= left));
            let which = (Some(seq), Some(*client_id));
            if closed {
                let members = self.history.members(send.conversation);
                self.name(Invariant::I8, send.conversation, which, members, "sent after an acked block");
            } else if left {
                let what = "sent by somebody who is not in the conversation";
                self.name(Invariant::I8, send.conversation, which, [send.user], what);
            }
        }
    }

    /// Names a sight that no stay of the user covers. A delivery may be under way while the user leaves, so what counts
    /// there is when the message was sent; a read counts by when it began.
    fn leak(&mut self, conversation: &'a str, sight: Sight<'a>, read: Option<Micros>) {
        let invoked = self.history.sends.get(&sight.client_id).map_or(0, |send| send.invoked);
        let allowed = self.history.stays(conversation, sight.user).iter().any(|stay| {
            stay.maybe_from <= sight.at
                && sight.seq >= stay.first_seq
                && stay.maybe_until.is_none_or(|left| read.unwrap_or(invoked) <= left)
        });
        if !allowed {
            let what = if read.is_some() { "read by a non-member" } else { "delivered to a non-member" };
            let which = (Some(sight.seq), Some(sight.client_id));
            self.name(Invariant::I8, conversation, which, [sight.user], what);
        }
    }
}

fn figures(history: &History<'_>, lines: &[Line]) -> Figures {
    let mut figures = Figures::default();
    let (mut fault, mut heals, mut end) = (None, Vec::new(), Micros::MAX);
    for line in lines {
        match line {
            Line::Sample { resident, descriptors, .. } => {
                figures.resident = figures.resident.max(*resident);
                figures.descriptors = figures.descriptors.max(*descriptors);
            }
            Line::Mark { at, mark: Mark::Fault, .. } => fault = fault.or(Some(*at)),
            Line::Mark { at, mark: Mark::Heal, .. } => heals.push(*at),
            Line::Mark { at, mark: Mark::Drained, .. } => end = *at,
            Line::Event(event) => match (event.operation, event.step) {
                (Operation::Send, Step::Ok) => figures.acked += 1,
                (Operation::Send, Step::Fail) => figures.failed += 1,
                (Operation::Send, Step::Info) => figures.unknown += 1,
                (Operation::Deliver, _) => figures.delivered += 1,
                (Operation::Resume, Step::Info) => figures.disconnects += 1,
                (Operation::Resume, Step::Fail) => figures.sessions_lost += 1,
                _ => {}
            },
        }
    }
    if let Some(fault) = fault
        && !heals.is_empty()
    {
        figures.first_success = heals.iter().map(|heal| first_success(history, *heal, end)).max();
        figures.last_delivery = Some(last_delivery(history, fault, &heals));
        figures.recovery = figures.first_success.max(figures.last_delivery);
    }
    figures
}

/// From `heal` until the last of those who tried to send after it had a send acked.
fn first_success(history: &History<'_>, heal: Micros, end: Micros) -> Duration {
    let mut first: BTreeMap<u64, Micros> = BTreeMap::new();
    for send in history.sends.values().filter(|send| send.invoked >= heal) {
        let acked = send.acked.map_or(end, |(at, _)| at);
        let entry = first.entry(send.user).or_insert(Micros::MAX);
        *entry = acked.min(*entry);
    }
    let last = first.into_values().max().unwrap_or(heal);
    Duration::from_micros(last.min(end.max(heal)).saturating_sub(heal))
}

/// The longest time from the ack of a message, or from the heal that followed its fault if that was later, until a device
/// showed it.
fn last_delivery(history: &History<'_>, fault: Micros, heals: &[Micros]) -> Duration {
    let mut longest = 0;
    for sights in history.views.values() {
        for sight in sights {
            let Some((acked, _)) = history.sends.get(&sight.client_id).and_then(|send| send.acked) else {
                continue;
            };
            if sight.at < fault {
                continue;
            }
            // Delivered before any heal: the fault did not keep it back for long.
            let healed = heals.iter().rfind(|heal| **heal <= sight.at);
            if let Some(healed) = healed {
                longest = longest.max(sight.at.saturating_sub(acked.max(*healed)));
            }
        }
    }
    Duration::from_micros(longest)
}

fn breaches(figures: &Figures, bounds: &Bounds) -> Vec<Violation> {
    let mut breaches = Vec::new();
    let mut name = |what: String| {
        breaches.push(Violation {
            invariant: Invariant::I10,
            conversation: String::new(),
            seq: None,
            client_id: None,
            users: Vec::new(),
            what,
        });
    };
    if let (Some(bound), Some(recovery)) = (bounds.recovery, figures.recovery)
        && recovery > bound
    {
        name(format!("recovery took {recovery:.1?}, and may take {bound:.1?}"));
    }
    if let Some(bound) = bounds.resident
        && figures.resident > bound
    {
        name(format!("a process held {} bytes of memory, and may hold {bound}", figures.resident));
    }
    if let Some(bound) = bounds.descriptors
        && figures.descriptors > bound
    {
        name(format!("a process held {} files open, and may hold {bound}", figures.descriptors));
    }
    breaches
}
