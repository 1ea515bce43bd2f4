//! Who of one group is here, and as of which of its versions that is known. Decides to whom a delivery may go; does
//! nothing itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_schemas::{UserId, message};

use crate::sessions::OpenSessions;

/// The members of a group who are here.
///
/// What is told about a group may be lost, late, or out of order, and answers may be older than what was told since. So
/// each piece of news carries the version that it was true as of, and the newer one wins.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Everybody listed was a member as of this version, or as of a later one. Nobody is listed who wasn't.
    version: u64,
    members: HashMap<UserId, Local>,
    /// The same list for handing out, until it changes.
    recipients: Option<Arc<[Recipient]>>,
}

#[derive(Debug)]
struct Local {
    /// The version that made the user a member.
    since: u64,
    /// The version as of which the user was known to be one, when last heard of alone.
    as_of: u64,
    sessions: Arc<OpenSessions>,
}

/// Somebody to whom deliveries go.
#[derive(Debug)]
pub(crate) struct Recipient {
    since: u64,
    sessions: Arc<OpenSessions>,
}

impl Recipient {
    /// The sessions to which an event of `version` goes: none for somebody who joined later.
    pub(crate) fn at(&self, version: u64) -> Option<&OpenSessions> {
        (self.since <= version).then_some(&*self.sessions)
    }
}

impl Roster {
    /// Somebody who is here is a member, made one by version `since`, as of `version`.
    pub(super) fn enter(&self, user: UserId, sessions: &Arc<OpenSessions>, version: u64, since: u64) {
        let mut known = self.lock();
        let everybody = known.version;
        if let Some(local) = known.members.get_mut(&user) {
            if version < local.as_of.max(everybody) {
                return;
            }
            let is_same = local.since == since;
            (local.since, local.as_of) = (since, version);
            if is_same {
                return;
            }
        } else {
            // Older news than what is known of the others: from there on, somebody has to ask again.
            known.version = if known.members.is_empty() { version } else { everybody.min(version) };
            known.members.insert(user, Local { since, as_of: version, sessions: sessions.clone() });
        }
        known.recipients = None;
    }

    /// The user isn't a member any more, or not here. Says whether nobody is left.
    pub(super) fn leave(&self, user: UserId) -> bool {
        let mut known = self.lock();
        if known.members.remove(&user).is_some() {
            known.recipients = None;
        }
        known.members.is_empty()
    }

    /// Whether `version` is the next one after what is known: news of who joined and left by it make it known.
    pub(super) fn is_next(&self, version: u64) -> bool {
        version.checked_sub(1) == Some(self.lock().version)
    }

    /// The next version is known, after whoever joined by it has entered. Returns those of `left` who are to leave.
    pub(super) fn advance(&self, version: u64, left: &[UserId]) -> Vec<UserId> {
        let mut known = self.lock();
        // Whoever is a member by a later version left and came back.
        let is_gone = |user: &&UserId| known.members.get(user).is_some_and(|local| local.since <= version);
        let gone = left.iter().filter(is_gone).copied().collect();
        known.version = known.version.max(version);
        gone
    }

    /// To whom a delivery of `version` goes, if that is known.
    pub(super) fn as_of(&self, version: u64) -> Option<Arc<[Recipient]>> {
        let mut known = self.lock();
        (version <= known.version).then(|| known.recipients())
    }

    /// Everybody who is listed.
    pub(super) fn recipients(&self) -> Arc<[Recipient]> {
        self.lock().recipients()
    }

    /// Everybody who is listed.
    pub(super) fn users(&self) -> Vec<UserId> {
        self.lock().members.keys().copied().collect()
    }

    /// Takes the answer to the question which of `asked` are members. Returns those who aren't, and are to leave.
    pub(super) fn learn(&self, asked: &[UserId], answer: &message::Present) -> Vec<UserId> {
        let mut known = self.lock();
        let Known { version: everybody, members, .. } = &mut *known;
        let version = answer.version;
        if version < *everybody {
            return Vec::new();
        }
        let present: HashMap<UserId, u64> = answer.members.iter().copied().collect();
        let mut gone = Vec::new();
        for user in asked {
            // Whoever entered with newer news while this was asked, stays as entered.
            let Some(local) = members.get_mut(user).filter(|local| local.as_of <= version) else { continue };
            match present.get(user) {
                Some(since) => (local.since, local.as_of) = (*since, version),
                None => gone.push(*user),
            }
        }
        for user in &gone {
            members.remove(user);
        }
        // Whoever entered with older news while this was asked, is known as of that only.
        let oldest = members.values().map(|local| local.as_of).min();
        *everybody = oldest.map_or(version, |oldest| oldest.min(version)).max(*everybody);
        known.recipients = None;
        gone
    }

    /// The list is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn recipients(&mut self) -> Arc<[Recipient]> {
        let members = &self.members;
        let list = || {
            let recipient =
                |local: &Local| Recipient { since: local.since, sessions: local.sessions.clone() };
            members.values().map(recipient).collect()
        };
        self.recipients.get_or_insert_with(list).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The random courses come to this too seldom.
    #[test]
    fn who_came_back_while_it_was_asked_stays_whatever_the_answer_from_before() {
        let roster = Roster::default();
        let users = [1, 2].map(|number| UserId::new(number).unwrap());
        for user in users {
            roster.enter(user, &Arc::default(), 5, 1);
        }
        let asked = roster.users();
        // The answer is read at version 6, by which the second had left. By version 7, the second is back.
        roster.enter(users[1], &Arc::default(), 7, 7);
        let answer = message::Present { version: 6, members: vec![(users[0], 1)] };
        assert_eq!(roster.learn(&asked, &answer), []);
        assert!(roster.as_of(6).is_some() && roster.as_of(7).is_none());
        let told =
            |version| roster.recipients().iter().filter(|recipient| recipient.at(version).is_some()).count();
        assert_eq!((told(6), told(7)), (1, 2));
    }
}
