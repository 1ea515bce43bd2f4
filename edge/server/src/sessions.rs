//! Who is signed in here. While a user is, the edge subscribes to what is delivered to that user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::subject::{self, Audience};
use broker_schemas::{Error, SessionId, UserId};
use natter_host::Bus;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::connection::Connection;
use crate::deliver;
use crate::meters::METERS;

/// How long handing a subscription to the bus may take: longer only while it is down.
const SUBSCRIBE: Duration = Duration::from_secs(2);

/// Everybody who is signed in on this edge.
#[derive(Debug)]
pub(crate) struct Sessions {
    per_user: usize,
    users: Mutex<HashMap<UserId, Arc<Present>>>,
}

/// A user with sessions on this edge. When the last of them leaves, the subscription ends with this.
#[derive(Debug, Default)]
pub(crate) struct Present {
    members: Arc<Members>,
    deliveries: OnceCell<AbortOnDropHandle<()>>,
}

/// The sessions of one user, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<Vec<Member>>);

/// A session and the connection that it is on.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) session: SessionId,
    pub(crate) connection: Arc<Connection>,
}

/// Who had to make room for a new session.
#[derive(Debug)]
pub(crate) enum Displaced {
    /// The same session, on the connection where it was before.
    SameSession(Member),
    /// The oldest session of a user who has too many.
    Oldest(UserId, Member),
}

impl Sessions {
    /// At most `per_user` sessions of one user.
    pub(crate) fn new(per_user: usize) -> Self {
        Self { per_user, users: Mutex::default() }
    }

    /// Puts a session on the list; whoever had to make room is off it.
    pub(crate) fn join(&self, user: UserId, member: Member) -> (Arc<Present>, Vec<Displaced>) {
        let mut users = self.lock();
        let present = users.entry(user).or_default().clone();
        let mut members = present.members.lock();
        let mut displaced = Vec::new();
        if let Some(index) = members.iter().position(|other| other.session == member.session) {
            displaced.push(Displaced::SameSession(members.remove(index)));
        }
        while !members.is_empty() && members.len() >= self.per_user {
            displaced.push(Displaced::Oldest(user, members.remove(0)));
        }
        members.push(member);
        drop(members);
        METERS.sessions.increment(1.0);
        METERS.sessions.decrement(u32::try_from(displaced.len()).unwrap_or(u32::MAX));
        (present, displaced)
    }

    /// Takes a session off the list. Says whether it was on it, with this connection.
    pub(crate) fn leave(&self, user: UserId, session: SessionId, connection: &Arc<Connection>) -> bool {
        let mut users = self.lock();
        let Some(present) = users.get(&user) else { return false };
        let mut members = present.members.lock();
        let found = members
            .iter()
            .position(|member| member.session == session && Arc::ptr_eq(&member.connection, connection));
        let Some(index) = found else { return false };
        members.remove(index);
        let is_last = members.is_empty();
        drop(members);
        if is_last {
            users.remove(&user);
        }
        METERS.sessions.decrement(1.0);
        true
    }

    /// Where a session is open, if it is.
    pub(crate) fn find(&self, user: UserId, session: SessionId) -> Option<Arc<Connection>> {
        let present = self.lock().get(&user)?.clone();
        let members = present.members.lock();
        members.iter().find(|member| member.session == session).map(|member| member.connection.clone())
    }

    /// Every session, in no particular order.
    pub(crate) fn all(&self) -> Vec<Member> {
        self.lock().values().flat_map(|present| present.members.all()).collect()
    }

    /// The list is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Present>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    /// Returns once everything that is published for the user from now on arrives here.
    pub(crate) async fn subscribe(&self, bus: &Bus, user: UserId, tasks: &TaskTracker) -> Result<(), Error> {
        let subscribe = async {
            let subject = subject::deliver(Audience::User(user));
            let subscription = timeout(SUBSCRIBE, bus.subscribe(&subject))
                .await
                .map_err(|_| Error::unavailable("the connection to the bus is down"))??;
            let deliveries = tasks.spawn(deliver::to_user(subscription, self.members.clone()));
            let deliveries = AbortOnDropHandle::new(deliveries);
            bus.fence().await?;
            Ok(deliveries)
        };
        // Whoever comes second waits for the first.
        self.deliveries.get_or_try_init(|| subscribe).await.map(drop)
    }
}

impl Members {
    /// A copy of the list, so that it isn't locked while something is said to its members.
    pub(crate) fn all(&self) -> Vec<Member> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
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

    fn member(session: u64) -> Member {
        Member { session: SessionId::new(session).unwrap(), connection: for_test() }
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
