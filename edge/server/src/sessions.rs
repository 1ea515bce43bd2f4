//! Who is signed in here. While a user is, the edge subscribes to what is delivered to that user and to the user's groups.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::subject::{self, Audience};
use broker_schemas::{Error, SessionId, UserId};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::connection::Connection;
use crate::deliver;
use crate::gateway::Gateway;
use crate::groups::{Following, Groups};
use crate::meters::METERS;

/// How long handing a subscription to the bus may take: longer only while it is down.
const SUBSCRIBE: Duration = Duration::from_secs(2);

/// Everybody who is signed in on this edge.
#[derive(Debug)]
pub(crate) struct Sessions {
    per_user: usize,
    users: Mutex<HashMap<UserId, Arc<Present>>>,
    /// A user arrives there with the first session and departs with the last one.
    pub(crate) groups: Groups,
}

/// A user with sessions on this edge. When the last of them leaves, the subscription ends with this.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) user: UserId,
    pub(crate) sessions: Arc<OpenSessions>,
    pub(crate) following: Following,
    deliveries: OnceCell<AbortOnDropHandle<()>>,
}

/// The sessions of one user, the oldest first. The list is replaced when it changes, which is seldom beside how often it
/// is read.
#[derive(Debug)]
pub(crate) struct OpenSessions(Mutex<Arc<[OpenSession]>>);

/// A session and the connection that it is on.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    pub(crate) session: SessionId,
    pub(crate) connection: Arc<Connection>,
}

/// Who had to make room for a new session.
#[derive(Debug)]
pub(crate) enum Displaced {
    /// The same session, on the connection where it was before.
    SameSession(OpenSession),
    /// The oldest session of a user who has too many.
    Oldest(UserId, OpenSession),
}

impl Sessions {
    /// At most `per_user` sessions of one user.
    pub(crate) fn new(per_user: usize) -> Self {
        Self { per_user, users: Mutex::default(), groups: Groups::default() }
    }

    /// Puts a session on the list; whoever had to make room is off it.
    pub(crate) fn join(&self, user: UserId, session: OpenSession) -> (Arc<Present>, Vec<Displaced>) {
        let mut users = self.lock();
        let present = users.entry(user).or_insert_with(|| {
            let present = Present::new(user);
            self.groups.arrive(user, &present.sessions);
            Arc::new(present)
        });
        let mut list = present.sessions.lock();
        let mut sessions = list.to_vec();
        let mut displaced = Vec::new();
        if let Some(index) = sessions.iter().position(|other| other.session == session.session) {
            displaced.push(Displaced::SameSession(sessions.remove(index)));
        }
        while !sessions.is_empty() && sessions.len() >= self.per_user {
            displaced.push(Displaced::Oldest(user, sessions.remove(0)));
        }
        sessions.push(session);
        *list = sessions.into();
        drop(list);
        METERS.sessions.increment(1.0);
        METERS.sessions.decrement(u32::try_from(displaced.len()).unwrap_or(u32::MAX));
        (present.clone(), displaced)
    }

    /// Takes a session off the list. Says whether it was on it, with this connection.
    pub(crate) fn leave(&self, user: UserId, session: SessionId, connection: &Arc<Connection>) -> bool {
        let mut users = self.lock();
        let Some(present) = users.get(&user) else { return false };
        let mut list = present.sessions.lock();
        let is_it =
            |other: &OpenSession| other.session == session && Arc::ptr_eq(&other.connection, connection);
        if !list.iter().any(is_it) {
            return false;
        }
        *list = list.iter().filter(|other| !is_it(other)).cloned().collect();
        let is_last = list.is_empty();
        drop(list);
        if is_last {
            users.remove(&user);
            self.groups.depart(user);
        }
        METERS.sessions.decrement(1.0);
        true
    }

    /// The user, if a session of the user is open.
    pub(crate) fn present(&self, user: UserId) -> Option<Arc<Present>> {
        self.lock().get(&user).cloned()
    }

    /// Where a session is open, if it is.
    pub(crate) fn find(&self, user: UserId, session: SessionId) -> Option<Arc<Connection>> {
        let open = self.present(user)?.sessions.all();
        open.iter().find(|open| open.session == session).map(|open| open.connection.clone())
    }

    /// Every session, in no particular order.
    pub(crate) fn all(&self) -> Vec<OpenSession> {
        let users = self.lock();
        users.values().flat_map(|present| present.sessions.all().to_vec()).collect()
    }

    /// The list is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Present>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn new(user: UserId) -> Self {
        Self { user, sessions: Arc::default(), following: Following::default(), deliveries: OnceCell::new() }
    }

    /// Returns once everything that is published for the user and the user's groups from now on arrives here.
    pub(crate) async fn receive(self: &Arc<Self>, gateway: &Arc<Gateway>) -> Result<(), Error> {
        let receive = async {
            let subject = subject::deliver(Audience::User(self.user));
            let subscription = timeout(SUBSCRIBE, gateway.bus.subscribe(&subject))
                .await
                .map_err(|_| Error::unavailable("the connection to the bus is down"))??;
            let hand_on = deliver::to_user(gateway.clone(), self.user, self.sessions.clone(), subscription);
            let deliveries = AbortOnDropHandle::new(gateway.work.spawn(hand_on));
            gateway.bus.fence().await?;
            // Not before: who joins a group after this was asked has to be heard.
            gateway.follow_groups(self).await;
            Ok(deliveries)
        };
        // Whoever comes second waits for the first.
        self.deliveries.get_or_try_init(|| receive).await.map(drop)
    }
}

impl Default for OpenSessions {
    fn default() -> Self {
        Self(Mutex::new(Arc::new([])))
    }
}

impl OpenSessions {
    /// The list as it is now.
    pub(crate) fn all(&self) -> Arc<[OpenSession]> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[OpenSession]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::for_test;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn member(session: u64) -> OpenSession {
        OpenSession { session: SessionId::new(session).unwrap(), connection: for_test() }
    }

    #[test]
    fn the_oldest_session_of_a_user_makes_room_and_others_users_keep_theirs() {
        let sessions = Sessions::new(2);
        for session in 1..=2 {
            assert!(sessions.join(user(7), member(session)).1.is_empty());
        }
        assert!(sessions.join(user(8), member(9)).1.is_empty());
        let (_, displaced) = sessions.join(user(7), member(3));
        assert!(matches!(&displaced[..], [Displaced::Oldest(_, oldest)] if oldest.session.get() == 1));
        assert_eq!(sessions.all().len(), 3);
    }

    #[test]
    fn a_session_that_moved_is_not_ended_by_its_old_connection() {
        let sessions = Sessions::new(10);
        let (old, new) = (member(1), member(1));
        sessions.join(user(7), old.clone());
        let (_, displaced) = sessions.join(user(7), new.clone());
        assert!(matches!(&displaced[..], [Displaced::SameSession(_)]));
        assert!(!sessions.leave(user(7), old.session, &old.connection));
        assert!(Arc::ptr_eq(&sessions.find(user(7), new.session).unwrap(), &new.connection));
        assert!(sessions.leave(user(7), new.session, &new.connection));
        assert!(sessions.lock().is_empty());
    }
}
