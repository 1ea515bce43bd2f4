//! Changes on their way to the message module, and then to the users.
//!
//! A change is written into the outbox in the transaction that makes it. The method that made it tells the message module
//! before it answers; what could not be told then, a worker tells later, also after a restart. Of one group, changes
//! are told in the order of their versions, by whoever it is: the message module takes no other order. Several copies of
//! this module may tell the same change, which its version makes harmless.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::message::ChangeGroup;
use broker_schemas::{Code, Done, Error, GroupId, Method};
use natter_host::{Failure, Result, Scope, failpoint};
use tokio::time::timeout_at;

use crate::Module;
use crate::change::Outcome;

/// How many changes, or groups, are read from the outbox at once.
const BATCH: u32 = 64;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// For so long somebody who was put out may still read after the message module is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Module {
    /// Ends a method that changed a group, or would have: tells the message module everything up to here.
    ///
    /// # Errors
    /// When the message module may not know it yet. The change is stored all the same, and the method can be repeated until
    /// it does.
    pub(crate) async fn finish(&self, scope: &Scope, outcome: &Outcome) -> Result<Done> {
        match self.tell(outcome.group, outcome.version, || scope.clone()).await {
            Ok(()) => Ok(Done {}),
            Err(Failure::Refused(error)) => {
                tracing::warn!(%error, group = %outcome.group, version = outcome.version, "change not told yet");
                Err(Error::timeout(
                    "recorded, but the message service has not confirmed it: the group's conversation is as before \
                     until it has; repeat the call to know",
                )
                .into())
            }
            Err(broken) => Err(broken),
        }
    }

    /// Tells the message module of a new group, if that is possible within the time of `scope`.
    pub(crate) async fn tell_if_possible(&self, scope: &Scope, group: GroupId, version: u64) {
        let telling = self.tell(group, version, || scope.clone());
        // The worker may be at it, and have more time.
        match timeout_at(scope.deadline, telling).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::warn!(?failure, %group, "new group not told yet"),
            Err(_) => tracing::warn!(%group, "new group not told in time"),
        }
    }

    /// Tells the changes of `group` up to a version that wait to be told, be they from this call or earlier ones.
    async fn tell(&self, group: GroupId, up_to: u64, scope: impl Fn() -> Scope) -> Result<()> {
        let mut turn = self.turns.take(group).await;
        if turn.others_failed_meanwhile() {
            return Err(
                Error::unavailable("an earlier change of the group could not be told just now").into()
            );
        }
        let told = self.tell_in_turn(group, up_to, scope).await;
        if told.is_err() {
            turn.failed();
        }
        told
    }

    async fn tell_in_turn(&self, group: GroupId, up_to: u64, scope: impl Fn() -> Scope) -> Result<()> {
        loop {
            let batch = self.store.untold(group, up_to, BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            for untold in &batch {
                failpoint::reach("group.before_telling");
                self.bus.call(&scope(), &untold.change).await?;
                failpoint::reach("group.after_telling");
                // After that, for clients that hear of a change ask the message module what they may see now.
                self.push_change(untold).await?;
                self.store.forget(&untold.change).await?;
            }
        }
    }

    /// Empties the outbox again and again, for as long as it is polled.
    pub(crate) async fn empty_outbox(self: Arc<Self>) {
        let mut pause = SHORTEST_PAUSE;
        let mut last = None;
        loop {
            pause = match self.tell_groups(&mut last).await {
                Ok(()) => SHORTEST_PAUSE,
                Err(failure) => {
                    tracing::warn!(?failure, "changes of groups wait in the outbox");
                    (pause * 2).min(LONGEST_PAUSE)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Tries each group in the outbox once, those after `last` first. Ends early when nobody answers, for the rest would
    /// fare no better; the next round then begins with those, so that no group holds up the others for good.
    async fn tell_groups(&self, last: &mut Option<GroupId>) -> Result<()> {
        loop {
            let groups = self.store.untold_groups(*last, BATCH).await?;
            if groups.is_empty() {
                *last = None;
                return Ok(());
            }
            for group in groups {
                *last = Some(group);
                let scope = || Scope::background(ChangeGroup::SPEC.deadline);
                match self.tell(group, u64::MAX, scope).await {
                    Ok(()) => {}
                    // About this group alone.
                    Err(Failure::Refused(error))
                        if !matches!(error.code, Code::Unavailable | Code::Timeout) =>
                    {
                        tracing::warn!(%error, %group, "change of a group refused");
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
    }
}
