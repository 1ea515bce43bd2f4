//! Which groups the users here are in. While one of a group's members is, the edge subscribes, once, to what is delivered
//! to the group.
//!
//! `roster` decides to whom a delivery may go, `relay` hands it out; `follow` keeps it true which groups a user is in, and
//! `join` adds one.

mod follow;
mod join;
mod relay;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_schemas::message::Membership;
use broker_schemas::subject::{self, Audience};
use broker_schemas::{Error, GroupId, UserId};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use follow::Following;

use crate::gateway::Gateway;
use crate::meters::METERS;
use crate::sessions::OpenSessions;
use join::Joining;
use roster::Roster;

/// Questions about who is in a group that are under way at once.
const QUESTIONS: usize = 64;
/// Repairs that are under way at once. They come in waves, which must not hold up what is delivered.
const REFRESHES: usize = 32;

/// Every group with members here, and every user here.
#[derive(Debug)]
pub(crate) struct Groups {
    state: Mutex<State>,
    joining: Joining,
    questions: Semaphore,
    refreshes: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<GroupId, Arc<Group>>,
    users: HashMap<UserId, User>,
    /// Counts questions and news, to tell which came first.
    clock: Moment,
}

/// A point in the order of questions and news.
type Moment = u64;

#[derive(Debug)]
struct User {
    sessions: Arc<OpenSessions>,
    /// The user's groups, and when it was last heard that the user is in each.
    groups: HashMap<GroupId, Moment>,
}

/// A group with members here. When the last of them leaves, the subscription ends with this.
#[derive(Debug)]
struct Group {
    id: GroupId,
    roster: Arc<Roster>,
    deliveries: OnceCell<AbortOnDropHandle<()>>,
}

/// The groups of a user.
struct Entered {
    groups: Vec<Arc<Group>>,
    /// The user wasn't in all of them before.
    is_any_new: bool,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            joining: Joining::default(),
            questions: Semaphore::new(QUESTIONS),
            refreshes: Semaphore::new(REFRESHES),
        }
    }
}

impl Groups {
    /// A user has a session here now. Nobody enters a group before.
    pub(crate) fn arrive(&self, user: UserId, sessions: &Arc<OpenSessions>) {
        let arrived = User { sessions: sessions.clone(), groups: HashMap::new() };
        self.lock().users.insert(user, arrived);
    }

    /// A user has no session here any more, and so leaves every group.
    pub(crate) fn depart(&self, user: UserId) {
        let mut state = self.lock();
        let Some(gone) = state.users.remove(&user) else { return };
        for group in gone.groups.into_keys() {
            state.leave_roster(user, group);
        }
    }

    /// The moment of a question that is asked now.
    fn now(&self) -> Moment {
        self.lock().tick()
    }

    /// Takes the answer to the question, asked at `asked`, which groups a user is in: enters all of them, and leaves those
    /// which it doesn't name, unless it was heard since that the user is in them. `None` when the user has gone.
    fn set_groups_of(&self, user: UserId, asked: Moment, answer: &[Membership]) -> Option<Entered> {
        let mut state = self.lock();
        let before = state.users.get(&user)?.groups.len();
        let groups: Vec<_> = answer.iter().filter_map(|membership| state.enter(user, *membership)).collect();
        let is_in = &state.users.get(&user)?.groups;
        let is_any_new = is_in.len() > before;
        // The answer's were heard just now.
        let is_over = |(group, heard): (&GroupId, &Moment)| (*heard <= asked).then_some(*group);
        let over: Vec<_> = is_in.iter().filter_map(is_over).collect();
        for group in over {
            state.leave(user, group);
        }
        Some(Entered { groups, is_any_new })
    }

    /// The user is a member of a group. `None` when the user has gone.
    fn enter(&self, user: UserId, membership: Membership) -> Option<Arc<Group>> {
        self.lock().enter(user, membership)
    }

    /// Who joined and who left by a version was told. That makes it known if it is the next one. A version by which nobody
    /// did may be that of any later event, too, and so says nothing.
    fn advance(&self, id: GroupId, roster: &Arc<Roster>, version: u64, joined: &[UserId], left: &[UserId]) {
        if joined.is_empty() && left.is_empty() {
            return;
        }
        let mut state = self.lock();
        if !state.has(id, roster) || !roster.is_next(version) {
            return;
        }
        for user in joined {
            state.enter(*user, Membership { group: id, version, since: version });
        }
        for user in roster.advance(version, left) {
            state.leave(user, id);
        }
    }

    /// Takes the answer to the question which of `asked` are in a group.
    fn learn(
        &self,
        id: GroupId,
        roster: &Arc<Roster>,
        asked: &[UserId],
        answer: &broker_schemas::message::Present,
    ) {
        let mut state = self.lock();
        if !state.has(id, roster) {
            return;
        }
        for user in roster.learn(asked, answer) {
            state.leave(user, id);
        }
    }

    /// The lists are consistent between any two statements, so a panic elsewhere doesn't spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> Moment {
        self.clock += 1;
        self.clock
    }

    /// Whether the roster is that of the group, and not of one that ended here in the meantime.
    fn has(&self, id: GroupId, roster: &Arc<Roster>) -> bool {
        self.groups.get(&id).is_some_and(|group| Arc::ptr_eq(&group.roster, roster))
    }

    fn enter(&mut self, user: UserId, membership: Membership) -> Option<Arc<Group>> {
        let now = self.tick();
        let Membership { group: id, version, since } = membership;
        let User { sessions, groups } = self.users.get_mut(&user)?;
        groups.insert(id, now);
        let group = self.groups.entry(id).or_insert_with(|| {
            METERS.groups.increment(1.0);
            Arc::new(Group { id, roster: Arc::default(), deliveries: OnceCell::new() })
        });
        group.roster.enter(user, sessions, version, since);
        Some(group.clone())
    }

    fn leave(&mut self, user: UserId, id: GroupId) {
        if let Some(user) = self.users.get_mut(&user) {
            user.groups.remove(&id);
        }
        self.leave_roster(user, id);
    }

    fn leave_roster(&mut self, user: UserId, id: GroupId) {
        let is_empty = self.groups.get(&id).is_some_and(|group| group.roster.leave(user));
        if is_empty {
            self.groups.remove(&id);
            METERS.groups.decrement(1.0);
        }
    }
}

impl Group {
    /// Hands the subscription to the bus, if nobody did before. Says whether this did. What is published from the next
    /// [fence](natter_host::Bus::fence) on is handed out.
    async fn subscribe(&self, gateway: &Arc<Gateway>) -> Result<bool, Error> {
        let mut is_new = false;
        let subscribe = async {
            let deliveries = gateway.bus.subscribe(&subject::deliver(Audience::Group(self.id))).await?;
            let relay = relay::run(gateway.clone(), self.id, self.roster.clone(), deliveries);
            is_new = true;
            Ok::<_, Error>(AbortOnDropHandle::new(gateway.work.spawn(relay)))
        };
        // Whoever comes second waits for the first.
        self.deliveries.get_or_try_init(|| subscribe).await?;
        Ok(is_new)
    }
}
