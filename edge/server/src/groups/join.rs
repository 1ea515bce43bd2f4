//! A user who is here joins a group.
//!
//! A new group may have a thousand members here, who learn of it in the same moment. So while one question about a group
//! is under way, whoever else joined waits for the next one, which is about all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::group::MEMBERS_MAX;
use broker_schemas::message::{GetPresent, Membership};
use broker_schemas::{Error, GroupId, List, UserId};
use natter_host::Scope;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::gateway::Gateway;

/// How long it may hold up what else is delivered to a user that the user joined a group.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who joined and waits, by the groups about which a question is under way.
#[derive(Debug, Default)]
pub(super) struct Joining(Mutex<HashMap<GroupId, Vec<Joiner>>>);

#[derive(Debug)]
struct Joiner {
    user: UserId,
    /// Told once the deliveries to the group are received here; dropped when that can't be had.
    done: oneshot::Sender<()>,
}

impl Joining {
    /// Puts somebody on the list. Says whether the caller is to see to it that those on it are served.
    fn add(&self, group: GroupId, joiner: Joiner) -> bool {
        let mut joining = self.lock();
        let is_first = !joining.contains_key(&group);
        joining.entry(group).or_default().push(joiner);
        is_first
    }

    /// Takes those who wait off the list, as many as one question can be about; `None` when nobody does.
    fn take(&self, group: GroupId) -> Option<Vec<Joiner>> {
        let mut joining = self.lock();
        let waiting = joining.get_mut(&group).filter(|waiting| !waiting.is_empty());
        let Some(waiting) = waiting else {
            joining.remove(&group);
            return None;
        };
        let some = waiting.len().min(MEMBERS_MAX);
        Some(waiting.drain(..some).collect())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GroupId, Vec<Joiner>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// A user has joined a group. Returns once nothing that is published for its members from now on can be missed, or
    /// after a second, when the rest is done in the background.
    pub(crate) async fn join_group(self: &Arc<Self>, user: UserId, group: GroupId) {
        let (done, joined) = oneshot::channel();
        if self.sessions.groups.joining.add(group, Joiner { user, done }) {
            self.work.spawn(serve_joiners(self.clone(), group));
        }
        if matches!(timeout(PATIENCE, joined).await, Ok(Ok(()))) {
            return;
        }
        tracing::debug!(%user, %group, "joined without its deliveries, which follow");
        if let Some(present) = self.sessions.present(user) {
            self.follow_later(&present);
        }
    }

    async fn join_all(self: &Arc<Self>, group: GroupId, users: Vec<UserId>) -> Result<(), Error> {
        let groups = &self.sessions.groups;
        let _room = groups.questions.acquire().await;
        let request = GetPresent { group, users: List::new(users).map_err(Error::invalid)? };
        let present = self.bus.call(&Scope::background(PATIENCE), &request).await?;
        let version = present.version;
        let enter = |(user, since)| groups.enter(user, Membership { group, version, since });
        // Whoever isn't a member any more, or here, is served.
        match present.members.into_iter().filter_map(enter).last() {
            Some(entered) => self.receive(&[entered], true).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Serves those who wait, until nobody does.
async fn serve_joiners(gateway: Arc<Gateway>, group: GroupId) {
    while let Some(joiners) = gateway.sessions.groups.joining.take(group) {
        let users = joiners.iter().map(|joiner| joiner.user).collect();
        match gateway.join_all(group, users).await {
            Ok(()) => {
                for joiner in joiners {
                    // Who waits no longer asks again.
                    let _ = joiner.done.send(());
                }
            }
            Err(error) => tracing::debug!(%error, %group, joiners = joiners.len(), "members not known"),
        }
    }
}
