//! Random courses of events: groups change, users come and go, and deliveries and answers are late, lost and out of order.

use std::collections::{BTreeMap, BTreeSet};

use broker_schemas::message::Present;
use broker_schemas::{GroupId, SessionId};

use super::*;
use crate::connection::for_test;
use crate::sessions::{OpenSession, Sessions};

const USERS: u64 = 4;
const STEPS: usize = 150;

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// Takes one of them, if there is one: mostly the first.
    fn take<T>(&mut self, list: &mut Vec<T>) -> Option<T> {
        let bound = if self.below(4) == 0 { list.len() } else { list.len().min(1) };
        (bound > 0).then(|| list.remove(self.below(bound)))
    }
}

/// What was published to the group.
struct Delivery {
    version: u64,
    joined: Vec<UserId>,
    left: Vec<UserId>,
}

/// A question about a user's groups, and its answer once it was read.
struct Question {
    user: UserId,
    asked: Moment,
    answer: Option<Vec<Membership>>,
}

/// A question about one user who joined.
struct Join {
    user: UserId,
    answer: Option<Option<Membership>>,
}

/// The relay's question, for which a delivery waits.
struct Waiting {
    roster: Arc<Roster>,
    delivery: Delivery,
    asked: Vec<UserId>,
    answer: Option<Present>,
}

struct Course {
    random: Random,
    /// Whether users may miss that they joined.
    loses_joins: bool,
    sessions: Sessions,
    /// Of each version, the members, and since when each is one.
    history: Vec<BTreeMap<UserId, u64>>,
    under_way: Vec<Delivery>,
    questions: Vec<Question>,
    joins: Vec<Join>,
    waiting: Option<Waiting>,
    open: BTreeMap<UserId, OpenSession>,
    handed_out: usize,
}

fn group() -> GroupId {
    GroupId::new(9).unwrap()
}

impl Course {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            loses_joins: seed.is_multiple_of(2),
            sessions: Sessions::new(1),
            history: vec![BTreeMap::new()],
            under_way: Vec::new(),
            questions: Vec::new(),
            joins: Vec::new(),
            waiting: None,
            open: BTreeMap::new(),
            handed_out: 0,
        }
    }

    fn any_user(&mut self) -> UserId {
        UserId::new(1 + self.random.below(USERS as usize) as u64).unwrap()
    }

    fn version(&self) -> u64 {
        self.history.len() as u64 - 1
    }

    fn membership(&self, user: UserId) -> Option<Membership> {
        let since = *self.history.last().unwrap().get(&user)?;
        Some(Membership { group: group(), version: self.version(), since })
    }

    fn roster(&self) -> Option<Arc<Roster>> {
        self.sessions.groups.lock().groups.get(&group()).map(|group| group.roster.clone())
    }

    fn step(&mut self) {
        match self.random.below(32) {
            0..=3 => self.change(),
            4..=5 => {
                self.under_way.push(Delivery { version: self.version(), joined: vec![], left: vec![] });
            }
            6 => self.come_or_go(),
            7 => {
                let user = self.any_user();
                self.ask_for_groups(user);
            }
            8..=13 => self.read_an_answer(),
            14..=19 => self.take_an_answer(),
            20 => {
                // Lost.
                let _ = self.random.take(&mut self.under_way);
            }
            _ => self.relay(),
        }
    }

    /// Somebody joins or leaves, or something else about the group changes.
    fn change(&mut self) {
        let (user, version) = (self.any_user(), self.version() + 1);
        let mut members = self.history.last().unwrap().clone();
        let mut delivery = Delivery { version, joined: vec![], left: vec![] };
        if members.remove(&user).is_some() {
            delivery.left.push(user);
        } else if self.random.below(3) > 0 {
            members.insert(user, version);
            delivery.joined.push(user);
            if !self.loses_joins || self.random.below(4) > 0 {
                self.joins.push(Join { user, answer: None });
            }
        }
        self.history.push(members);
        self.under_way.push(delivery);
    }

    fn come_or_go(&mut self) {
        let user = self.any_user();
        if let Some(open) = self.open.remove(&user) {
            assert!(self.sessions.leave(user, open.session, &open.connection));
        } else {
            let open = OpenSession { session: SessionId::new(user.get()).unwrap(), connection: for_test() };
            self.sessions.join(user, open.clone());
            self.open.insert(user, open);
            self.ask_for_groups(user);
        }
    }

    fn ask_for_groups(&mut self, user: UserId) {
        let asked = self.sessions.groups.now();
        self.questions.push(Question { user, asked, answer: None });
    }

    /// The message module reads what it will answer.
    fn read_an_answer(&mut self) {
        for index in 0..self.questions.len() {
            if self.questions[index].answer.is_none() && self.random.below(2) > 0 {
                let membership = self.membership(self.questions[index].user);
                self.questions[index].answer = Some(membership.into_iter().collect());
            }
        }
        for index in 0..self.joins.len() {
            if self.joins[index].answer.is_none() && self.random.below(2) > 0 {
                self.joins[index].answer = Some(self.membership(self.joins[index].user));
            }
        }
        let (version, members) = (self.version(), self.history.last().unwrap());
        if let Some(Waiting { asked, answer: answer @ None, .. }) = &mut self.waiting {
            let since = |user: &UserId| Some((*user, *members.get(user)?));
            *answer = Some(Present { version, members: asked.iter().filter_map(since).collect() });
        }
    }

    /// An answer arrives at the edge.
    fn take_an_answer(&mut self) {
        let first = self.random.below(2);
        for turn in [first, 1 - first] {
            let groups = &self.sessions.groups;
            if turn == 0 {
                let answered = self.questions.iter().position(|question| question.answer.is_some());
                let Some(index) = answered else { continue };
                let Question { user, asked, answer } = self.questions.swap_remove(index);
                groups.set_groups_of(user, asked, &answer.unwrap());
            } else {
                let answered = self.joins.iter().position(|join| join.answer.is_some());
                let Some(index) = answered else { continue };
                let Join { user, answer } = self.joins.swap_remove(index);
                answer.unwrap().and_then(|membership| groups.enter(user, membership));
            }
            return;
        }
    }

    /// What a relay does next.
    fn relay(&mut self) {
        let Some(roster) = self.roster() else {
            // Nobody has subscribed.
            self.waiting = None;
            let _ = self.random.take(&mut self.under_way);
            return;
        };
        let delivery = match self.waiting.take() {
            Some(waiting) if !Arc::ptr_eq(&waiting.roster, &roster) => return,
            Some(waiting @ Waiting { answer: None, .. }) => {
                self.waiting = Some(waiting);
                return;
            }
            Some(Waiting { delivery, asked, answer: Some(answer), .. }) => {
                self.sessions.groups.learn(group(), &roster, &asked, &answer);
                delivery
            }
            None => {
                let Some(delivery) = self.random.take(&mut self.under_way) else { return };
                let Delivery { version, joined, left } = &delivery;
                self.sessions.groups.advance(group(), &roster, *version, joined, left);
                delivery
            }
        };
        match roster.as_of(delivery.version) {
            Some(recipients) => {
                let told = self.told(&recipients, delivery.version);
                let version = usize::try_from(delivery.version).unwrap();
                let members: BTreeSet<_> = self.history[version].keys().copied().collect();
                assert!(told.is_subset(&members), "version {version}: {told:?}, members {members:?}");
                self.handed_out += told.len();
            }
            None => {
                let asked = roster.users();
                self.waiting = Some(Waiting { roster, delivery, asked, answer: None });
            }
        }
    }

    /// Who of those who are here get an event of `version`.
    fn told(&self, recipients: &[roster::Recipient], version: u64) -> BTreeSet<UserId> {
        let sessions = recipients.iter().filter_map(|recipient| recipient.at(version));
        let connections: Vec<_> =
            sessions.flat_map(|sessions| sessions.all().to_vec()).map(|open| open.connection).collect();
        let is_told = |open: &OpenSession| connections.iter().any(|told| Arc::ptr_eq(told, &open.connection));
        self.open.iter().filter(|(_, open)| is_told(open)).map(|(user, _)| *user).collect()
    }

    /// Who is a member and here is on the list, unless there is still an answer to come.
    fn check_nobody_is_missing(&self) {
        let is_asked_about = |user: &UserId| {
            self.questions.iter().any(|question| question.user == *user)
                || self.joins.iter().any(|join| join.user == *user)
        };
        let state = self.sessions.groups.lock();
        for user in self.open.keys().filter(|user| !is_asked_about(user)) {
            let is_listed = state.users[user].groups.contains_key(&group());
            assert!(is_listed || self.membership(*user).is_none(), "{user} was forgotten");
        }
    }

    /// Every question is answered, and everything that is under way is lost.
    fn settle(&mut self) {
        self.under_way.clear();
        while !self.questions.is_empty() || !self.joins.is_empty() {
            self.read_an_answer();
            self.take_an_answer();
        }
        // Only who missed a joining needs the repair.
        let users: Vec<_> = self.open.keys().copied().filter(|_| self.loses_joins).collect();
        for user in users {
            self.ask_for_groups(user);
        }
        while !self.questions.is_empty() {
            self.read_an_answer();
            self.take_an_answer();
        }
        // One question, if a delivery of the newest version needs it.
        self.waiting = None;
        self.under_way.push(Delivery { version: self.version(), joined: vec![], left: vec![] });
        self.relay();
        self.read_an_answer();
        if self.waiting.is_some() {
            self.relay();
            assert!(self.waiting.is_none(), "asked twice though nothing changed");
        }
    }

    fn check_settled(&self) {
        let members = self.history.last().unwrap();
        let here: BTreeSet<_> = self.open.keys().filter(|user| members.contains_key(user)).copied().collect();
        let told = self.roster().map(|roster| {
            let recipients = roster.as_of(self.version()).expect("the newest version is known");
            self.told(&recipients, self.version())
        });
        assert_eq!(told.unwrap_or_default(), here);
        assert_eq!(self.roster().is_some(), !here.is_empty());
        let state = self.sessions.groups.lock();
        assert_eq!(state.users.keys().copied().collect::<BTreeSet<_>>(), self.open.keys().copied().collect());
        for (user, known) in &state.users {
            assert_eq!(known.groups.contains_key(&group()), here.contains(user));
        }
    }

    fn all_leave(&mut self) {
        for (user, open) in std::mem::take(&mut self.open) {
            self.sessions.leave(user, open.session, &open.connection);
        }
        let state = self.sessions.groups.lock();
        assert!(state.groups.is_empty() && state.users.is_empty());
    }
}

#[test]
fn in_whatever_order_things_are_heard_only_members_are_told_and_in_the_end_all_of_them() {
    let mut handed_out = 0;
    for seed in 0..3_000 {
        let mut course = Course::new(seed);
        let run = std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                course.step();
                if !course.loses_joins {
                    course.check_nobody_is_missing();
                }
            }
            course.settle();
            course.check_settled();
            course.all_leave();
            course.handed_out
        });
        match std::panic::catch_unwind(run) {
            Ok(told) => handed_out += told,
            Err(_) => panic!("with seed {seed}"),
        }
    }
    assert!(handed_out > 10_000, "the courses are dull: {handed_out}");
}
