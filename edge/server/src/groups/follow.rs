//! Keeps it true which groups a user is in: at sign-in, and as a repair every time a passport is renewed, which is also
//! after a disruption of the bus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use broker_schemas::message::GetGroupsOf;
use broker_schemas::{Error, UserId};
use natter_host::Scope;
use tokio::time::{sleep_until, timeout};

use super::{Group, Moment};
use crate::deliver::Event;
use crate::gateway::Gateway;
use crate::jitter::within;
use crate::sessions::Present;

/// How long a sign-in waits for the user's groups.
const SIGN_IN: Duration = Duration::from_millis(1_500);
/// How long one attempt in the background takes at most.
const REFRESH: Duration = Duration::from_secs(2);
/// How long handing subscriptions to the bus may take: longer only while it is down.
const SUBSCRIBE: Duration = Duration::from_secs(2);
/// After an attempt in the background that failed; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How far a user's groups are known here.
#[derive(Debug, Default)]
pub(crate) struct Following(Mutex<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// A task asks which groups there are.
    is_refreshing: bool,
    /// It is to ask once more.
    again: bool,
    /// The user may have missed what was delivered to a group.
    owes_resync: bool,
}

impl Following {
    /// Whether the caller is to refresh now: nobody else does.
    fn begin(&self) -> bool {
        let mut progress = self.lock();
        progress.again = progress.is_refreshing;
        !std::mem::replace(&mut progress.is_refreshing, true)
    }

    /// Whether the caller is done refreshing: nobody has asked for it since.
    fn end(&self) -> bool {
        let mut progress = self.lock();
        progress.is_refreshing = std::mem::take(&mut progress.again);
        !progress.is_refreshing
    }

    fn owe_resync(&self) {
        self.lock().owes_resync = true;
    }

    fn take_debt(&self) -> bool {
        std::mem::take(&mut self.lock().owes_resync)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Asks which groups a user is in who signs in here. Returns once nothing that is published for these from now on can
    /// be missed. If that can't be had, the sign-in goes on without, and the user's sessions are told to catch up later.
    pub(crate) async fn follow_groups(self: &Arc<Self>, present: &Arc<Present>) {
        let asked = self.sessions.groups.now();
        if let Err(error) = self.try_to_follow(present.user, asked, false, SIGN_IN).await {
            tracing::debug!(%error, user = %present.user, "signed in without groups, which follow");
            self.follow_later(present);
        }
    }

    /// Something that is delivered to one of the user's groups may not be received here yet.
    pub(super) fn follow_later(self: &Arc<Self>, present: &Arc<Present>) {
        present.following.owe_resync();
        self.refresh_groups(present);
    }

    /// Asks again which groups a user is in, in the background, until that is answered or the user has gone. If the user
    /// may have missed something, the user's sessions are told to catch up.
    pub(crate) fn refresh_groups(self: &Arc<Self>, present: &Arc<Present>) {
        if present.following.begin() {
            let (gateway, user, present) = (self.clone(), present.user, Arc::downgrade(present));
            self.work.spawn(async move {
                tokio::select! {
                    () = gateway.stopping.cancelled() => {}
                    () = gateway.refresh(user, present) => {}
                }
            });
        }
    }

    async fn refresh(self: &Arc<Self>, user: UserId, present: Weak<Present>) {
        let mut pause = FIRST_PAUSE;
        loop {
            // Before it is asked: a debt that is made meanwhile may be about what the answer doesn't know.
            let Some(owes) = present.upgrade().map(|present| present.following.take_debt()) else { return };
            let refreshed = self.try_to_refresh(user, owes).await;
            // A user who has gone is not kept here by this.
            let Some(present) = present.upgrade() else { return };
            match refreshed {
                Ok(may_have_missed) => {
                    if may_have_missed {
                        Event::resync().send_to_all(&present.sessions.all());
                    }
                    if present.following.end() {
                        return;
                    }
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    tracing::debug!(%error, %user, "groups not known; asked again later");
                    if owes {
                        present.following.owe_resync();
                    }
                    drop(present);
                    sleep_until(within(pause / 2) + pause / 2).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn try_to_refresh(self: &Arc<Self>, user: UserId, owes: bool) -> Result<bool, Error> {
        let _room = self.sessions.groups.refreshes.acquire().await;
        let asked = self.sessions.groups.now();
        self.try_to_follow(user, asked, owes, REFRESH).await
    }

    /// Says whether the user may have missed something, as is known already, or because the user was not in all of the groups
    /// before.
    async fn try_to_follow(
        self: &Arc<Self>,
        user: UserId,
        asked: Moment,
        owes: bool,
        patience: Duration,
    ) -> Result<bool, Error> {
        let answer = self.bus.call(&Scope::background(patience), &GetGroupsOf { user }).await?;
        let entered = self.sessions.groups.set_groups_of(user, asked, &answer.groups);
        let Some(entered) = entered else { return Ok(false) };
        self.receive(&entered.groups, entered.is_any_new || owes).await
    }

    /// Returns once nothing that is published for `groups` from now on can be missed. Says whether something may have been
    /// until now.
    pub(super) async fn receive(
        self: &Arc<Self>,
        groups: &[Arc<Group>],
        is_any_new: bool,
    ) -> Result<bool, Error> {
        let subscribe_all = async {
            let mut is_any_new = is_any_new;
            for group in groups {
                is_any_new |= group.subscribe(self).await?;
            }
            Ok::<_, Error>(is_any_new)
        };
        let is_any_new = timeout(SUBSCRIBE, subscribe_all)
            .await
            .map_err(|_| Error::unavailable("the connection to the bus is down"))??;
        // One for all of them.
        if is_any_new {
            self.bus.fence().await?;
        }
        Ok(is_any_new)
    }
}
