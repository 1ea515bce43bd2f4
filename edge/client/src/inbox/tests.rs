//! Pushes are lost, late and out of order; what the application ends up with is right all the same.

use broker_schemas::{GroupId, Timestamp, UserId};

use super::*;

fn group(number: u64) -> Conversation {
    Conversation::group(GroupId::new(number).unwrap())
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn entry(conversation: Conversation, number: u64, revision: u64) -> Entry {
    Entry {
        conversation,
        seq: seq(number),
        from: UserId::new(2).unwrap(),
        client_id: None,
        text: String::new(),
        sent_at: Timestamp(0),
        quote: None,
        mentions: Vec::new(),
        payload: None,
        notice: None,
        edited_at: None,
        recalled_by: None,
        reactions: Vec::new(),
        revision,
        campaign: None,
    }
}

fn standing(
    conversation: Conversation,
    first_seq: u64,
    last_seq: u64,
    read_seq: u64,
    revision: u64,
) -> Standing {
    Standing { conversation, first_seq, last_seq, read_seq, revision }
}

/// An inbox in which group 1 stands at message `at`.
fn at(at: u64) -> Inbox {
    let mut inbox = Inbox::default();
    inbox.sign_in(&[standing(group(1), 1, at, at, 0)], true);
    inbox
}

fn push(inbox: &mut Inbox, number: u64, at: u64) -> Fit {
    inbox.push(&entry(group(number), at, 0))
}

fn fetch(inbox: &mut Inbox, number: u64, at: u64) -> Fetched {
    inbox.fetch(&entry(group(number), at, 0))
}

#[test]
fn whatever_the_order_of_pushes_each_message_is_next_exactly_once() {
    let mut inbox = at(4);
    assert_eq!(push(&mut inbox, 1, 4), Fit::Seen);
    assert_eq!(push(&mut inbox, 1, 6), Fit::Gap);
    inbox.ask();
    assert_eq!(fetch(&mut inbox, 1, 5), Fetched::Message);
    assert_eq!(fetch(&mut inbox, 1, 6), Fetched::Message);
    assert_eq!(push(&mut inbox, 1, 6), Fit::Seen);
    assert_eq!(push(&mut inbox, 1, 7), Fit::Next);
}

#[test]
fn a_new_conversation_begins_with_its_first_message() {
    assert_eq!(push(&mut Inbox::default(), 1, 1), Fit::Next);
}

#[test]
fn a_later_sign_in_does_not_move_what_was_seen_already() {
    let mut inbox = at(9);
    inbox.sign_in(&[standing(group(1), 1, 9, 2, 0)], true);
    assert_eq!(push(&mut inbox, 1, 9), Fit::Seen);
}

#[test]
fn a_stranger_begins_where_the_sync_says_or_else_with_what_was_pushed() {
    let mut inbox = Inbox::default();
    assert_eq!(push(&mut inbox, 1, 8), Fit::Gap);
    assert_eq!(push(&mut inbox, 2, 5), Fit::Gap);
    inbox.ask();
    assert_eq!(fetch(&mut inbox, 1, 7), Fetched::Message);
    assert!(inbox.settle(false));
    inbox.ask();
    assert_eq!(fetch(&mut inbox, 1, 8), Fetched::Message);
    assert_eq!(fetch(&mut inbox, 2, 5), Fetched::Message);
    assert!(!inbox.settle(false));
    assert!(inbox.strangers.is_empty());
}

#[test]
fn a_sync_names_the_conversations_that_moved_last() {
    let mut inbox = Inbox::default();
    for number in 1..=SYNC_MAX as u64 + 10 {
        inbox.start(group(number), 0);
    }
    push(&mut inbox, 3, 1);
    let (have, revisions) = inbox.ask();
    assert_eq!((have.len(), revisions.len()), (SYNC_MAX, SYNC_MAX));
    assert_eq!(have.get(&group(3)), Some(&1));
    assert!(!have.contains_key(&group(1)));
}

#[test]
fn what_one_may_not_read_is_no_gap_to_wait_for() {
    let mut inbox = at(4);
    // Left, and joined again at 50; a late push of the time before made the conversation known as of 30.
    inbox.forget(group(1));
    assert_eq!(push(&mut inbox, 1, 31), Fit::Gap);
    inbox.ask();
    assert!(inbox.settle(false));
    assert_eq!(inbox.ask().0.get(&group(1)), Some(&30));
    assert_eq!(fetch(&mut inbox, 1, 50), Fetched::Message);
    assert_eq!(fetch(&mut inbox, 1, 51), Fetched::Message);
    assert!(!inbox.settle(false));
    assert_eq!(push(&mut inbox, 1, 52), Fit::Next);
}

#[test]
fn a_group_that_one_left_and_joined_while_away_begins_where_one_may_read() {
    let mut inbox = at(4);
    inbox.sign_in(&[standing(group(1), 50, 51, 49, 3)], true);
    assert_eq!(inbox.ask().0.get(&group(1)), Some(&49));
    // Left for good: nothing is asked about it any more.
    inbox.sign_in(&[], true);
    assert!(inbox.ask().0.is_empty());
}

#[test]
fn an_answer_that_was_on_its_way_brings_nothing_of_a_group_that_one_left() {
    let mut inbox = at(4);
    inbox.ask();
    inbox.forget(group(1));
    assert_eq!(fetch(&mut inbox, 1, 5), Fetched::Nothing);
    assert!(!inbox.fetch_change(&entry(group(1), 3, 1), false));
    assert!(!inbox.settle(false));
    assert_eq!(inbox.cursor(group(1)), None);
}

#[test]
fn a_change_is_next_only_after_the_one_before_it_and_after_its_message() {
    let mut inbox = at(4);
    inbox.ask();
    assert!(!inbox.settle(false));
    assert_eq!(inbox.push_change(group(1), seq(5), 1), Fit::Gap, "the message is missing");
    assert_eq!(inbox.push_change(group(1), seq(4), 2), Fit::Gap, "revision 1 is missing");
    assert_eq!(inbox.push_change(group(1), seq(4), 1), Fit::Next);
    assert_eq!(inbox.push_change(group(1), seq(4), 1), Fit::Seen);
    // Brought as of revision 3: what a late push says of it is older.
    inbox.ask();
    assert_eq!(inbox.fetch(&entry(group(1), 5, 3)), Fetched::Message);
    inbox.settle(false);
    assert_eq!(inbox.push_change(group(1), seq(5), 2), Fit::Gap);
    inbox.ask();
    assert!(inbox.fetch_change(&entry(group(1), 5, 3), false));
    inbox.settle(false);
    assert_eq!(inbox.push_change(group(1), seq(5), 2), Fit::Seen);
    assert_eq!(inbox.push_change(group(1), seq(2), 4), Fit::Next);
}

#[test]
fn a_part_of_an_answer_says_nothing_of_messages_that_were_pushed_and_are_not_in_it() {
    let mut inbox = at(5);
    inbox.ask();
    for pushed in 6..=8 {
        assert_eq!(push(&mut inbox, 1, pushed), Fit::Next);
    }
    // Message 8 has revision 1, which the next part would tell; this one tells only of 3.
    assert_eq!(fetch(&mut inbox, 1, 6), Fetched::Nothing);
    assert_eq!(fetch(&mut inbox, 1, 7), Fetched::Nothing);
    assert!(inbox.fetch_change(&entry(group(1), 3, 2), true));
    assert!(inbox.settle(true));
    // Further messages are taken from the parts to come.
    assert_eq!(push(&mut inbox, 1, 9), Fit::Gap);
    assert_eq!(inbox.ask().1.get(&group(1)), Some(&0));
    assert!(inbox.fetch_change(&entry(group(1), 8, 1), false));
    assert!(inbox.fetch_change(&entry(group(1), 3, 2), false));
    assert!(!inbox.settle(false));
    assert_eq!(inbox.cursor(group(1)), Some(Cursor { seq: 8, revision: 2 }));
    assert_eq!(push(&mut inbox, 1, 9), Fit::Next);
}

/// A small generator, so that a failure is repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

enum Pushed {
    Message(Box<Entry>),
    Change(u64, u64),
}

/// A server with one group, the pushes that are on their way, and an application.
struct World {
    random: Random,
    /// The revision of each message.
    messages: Vec<u64>,
    revision: u64,
    /// The first message that the application may read.
    first: u64,
    read: u64,
    pushed: Vec<Pushed>,
    inbox: Inbox,
    /// The last message that the application was handed, and the revision of each that it has.
    handed: Option<u64>,
    has: HashMap<u64, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let count = random.below(6);
        let first = 1 + random.below(count + 1) as u64;
        let mut world = Self {
            messages: vec![0; count],
            revision: 0,
            first,
            read: first - 1,
            pushed: Vec::new(),
            inbox: Inbox::default(),
            handed: None,
            has: HashMap::new(),
            random,
        };
        world.change();
        world.pushed.clear();
        if world.random.below(2) == 0 {
            let standing = standing(group(1), first, count as u64, world.read, world.revision);
            world.inbox.sign_in(&[standing], true);
        }
        world
    }

    fn send(&mut self) {
        self.messages.push(0);
        self.pushed.push(Pushed::Message(Box::new(self.entry(self.messages.len() as u64))));
    }

    fn change(&mut self) {
        if !self.messages.is_empty() {
            let at = self.random.below(self.messages.len());
            self.revision += 1;
            self.messages[at] = self.revision;
            // A change of what the user may not read is not told, but takes a revision.
            if at as u64 + 1 >= self.first {
                self.pushed.push(Pushed::Change(at as u64 + 1, self.revision));
            }
        }
    }

    fn entry(&self, number: u64) -> Entry {
        entry(group(1), number, self.messages[number as usize - 1])
    }

    /// The application is handed a message.
    fn message(&mut self, number: u64, revision: u64) {
        assert_eq!(self.handed.map_or(number, |last| last + 1), number, "in order, without gaps");
        self.handed = Some(number);
        self.has.insert(number, revision);
    }

    /// The application is handed a change, or the state that changes left.
    fn changed(&mut self, number: u64, revision: u64) {
        if let Some(known) = self.has.get_mut(&number) {
            assert!(*known <= revision, "message {number} was at {known} and goes back to {revision}");
            *known = revision;
        }
    }

    /// One of the pushes arrives, any of them.
    fn deliver(&mut self) {
        if self.pushed.is_empty() {
            return;
        }
        let at = self.random.below(self.pushed.len().min(3));
        match self.pushed.remove(at) {
            Pushed::Message(entry) => {
                if self.inbox.push(&entry) == Fit::Next {
                    self.message(entry.seq.get(), entry.revision);
                }
            }
            Pushed::Change(number, revision) => {
                if self.inbox.push_change(group(1), seq(number), revision) == Fit::Next {
                    self.changed(number, revision);
                }
            }
        }
    }

    /// A sync, whose answer is as of one moment of the time that it takes: of at most `limit` messages and changes, while up to
    /// `busy` things happen before and after that moment. Whether another one is needed.
    fn sync(&mut self, limit: usize, busy: usize) -> bool {
        let (have, revisions) = self.inbox.ask();
        self.run(busy);
        let have = have.get(&group(1)).copied().unwrap_or(self.read);
        let from = have.max(self.first - 1) + 1;
        let mut messages: Vec<_> = (from..=self.messages.len() as u64).map(|at| self.entry(at)).collect();
        let since = revisions.get(&group(1)).copied().unwrap_or(u64::MAX);
        let told = self.first..=have.min(self.messages.len() as u64);
        let mut changed: Vec<_> =
            told.map(|at| self.entry(at)).filter(|entry| entry.revision > since).collect();
        changed.sort_by_key(|entry| entry.revision);
        let more = messages.len() > limit || changed.len() > limit;
        messages.truncate(limit);
        changed.truncate(limit);
        self.run(busy);
        for entry in messages {
            match self.inbox.fetch(&entry) {
                Fetched::Message => self.message(entry.seq.get(), entry.revision),
                Fetched::Changed => self.changed(entry.seq.get(), entry.revision),
                Fetched::Nothing => {}
            }
        }
        for entry in changed {
            if self.inbox.fetch_change(&entry, more) {
                self.changed(entry.seq.get(), entry.revision);
            }
        }
        self.inbox.settle(more)
    }

    /// Up to so many things happen.
    fn run(&mut self, most: usize) {
        for _ in 0..self.random.below(most + 1) {
            match self.random.below(6) {
                0 => self.send(),
                1 | 2 => self.change(),
                3 if !self.pushed.is_empty() => drop(self.pushed.remove(0)),
                _ => self.deliver(),
            }
        }
    }

    /// The user is put out, and joins again after a while.
    fn rejoin(&mut self) {
        self.inbox.forget(group(1));
        self.has.clear();
        self.send();
        self.pushed.clear();
        self.send();
        self.first = self.messages.len() as u64;
        self.read = self.first - 1;
        self.handed = None;
    }
}

#[test]
fn pushes_that_are_lost_late_or_out_of_order_leave_every_message_in_its_final_state() {
    for seed in 0..10_000 {
        let mut world = World::new(seed);
        for _ in 0..10 {
            world.run(8);
            if world.random.below(8) == 0 {
                world.rejoin();
            }
            let limit = 1 + world.random.below(4);
            world.sync(limit, 8);
        }
        // Nothing happens any more: a few syncs bring everything, whatever is still on its way.
        let rounds = (0..5).take_while(|_| world.sync(usize::MAX, 0)).count();
        assert!(rounds < 5, "seed {seed}: the questions don't end");
        while !world.pushed.is_empty() {
            world.deliver();
        }
        assert_eq!(world.handed.unwrap_or(world.read), world.messages.len() as u64, "seed {seed}");
        for (number, revision) in &world.has {
            let stored = world.messages[*number as usize - 1];
            assert_eq!(*revision, stored, "seed {seed}: message {number} is not as it is");
        }
    }
}
