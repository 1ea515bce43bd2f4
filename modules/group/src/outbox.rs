//! Changes on their way to the message module, and then to the users.
//!
//! A change is written into the outbox in the transaction that makes it. The method that made it tells the message module
//! before it answers; what could not be told then, a worker tells later, also after a restart. Of one group, changes
//! are told in the order of their versions: the message module takes no other order.
//!
//! Each change is told by the copy of this module that made it, so that users hear of it once. Another copy takes it over
//! when that one has had its time ([`watch`](crate::watch)); should both tell it then, its version makes that harmless.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker_schemas::message::ChangeGroup;
use broker_schemas::{Code, Done, Error, GroupId, Method};
use natter_host::{Failure, Result, Scope, failpoint};
use tokio::time::timeout_at;

use crate::Module;
use crate::change::Outcome;
use crate::watch::Watch;

/// How many changes, or groups, are read from the outbox at once.
const BATCH: u32 = 64;
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
/// For so long somebody who was put out may still read after the message module is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two looks whether another copy has told an earlier change, which takes milliseconds.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How far a group's changes were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Everything,
    /// Up to one that another copy tells.
    Ours,
}

impl Module {
    /// Ends a method that changed a group, or would have: tells the message module everything up to here.
    ///
    /// # Errors
    /// When the message module may not know it yet. The change is stored all the same, and the method can be repeated until
    /// it does.
    pub(crate) async fn finish(&self, scope: &Scope, outcome: &Outcome) -> Result<Done> {
        match self.tell(outcome.group, outcome.version, scope).await {
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
        if let Err(failure) = self.tell(group, version, scope).await {
            tracing::warn!(?failure, %group, "new group not told yet");
        }
    }

    /// Sees to it that the changes of `group` up to a version are told, be they from this call or earlier ones, within the
    /// time of `scope`.
    async fn tell(&self, group: GroupId, up_to: u64, scope: &Scope) -> Result<()> {
        let telling = async {
            while self.tell_ours(group, up_to, || scope.clone()).await? == Told::Ours {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        let late = |_| Error::timeout("an earlier change of the group is still being told");
        timeout_at(scope.deadline, telling).await.map_err(late)?
    }

    /// Tells the changes of `group` up to a version that this copy has to tell, in their order.
    async fn tell_ours(&self, group: GroupId, up_to: u64, scope: impl Fn() -> Scope) -> Result<Told> {
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

    async fn tell_in_turn(&self, group: GroupId, up_to: u64, scope: impl Fn() -> Scope) -> Result<Told> {
        loop {
            let batch = self.store.untold(group, up_to, BATCH).await?;
            if batch.is_empty() {
                return Ok(Told::Everything);
            }
            for untold in &batch {
                if !self.store.is_ours(untold.teller) {
                    return Ok(Told::Ours);
                }
                failpoint::reach("group.before_telling");
                let changed = self.bus.call(&scope(), &untold.change).await?;
                failpoint::reach("group.after_telling");
                // After that, for clients that hear of a change ask the message module what they may see now.
                self.push_change(untold, changed.seq).await?;
                self.store.forget(&untold.change).await?;
            }
        }
    }

    /// Empties the outbox again and again, for as long as it is polled.
    pub(crate) async fn empty_outbox(self: Arc<Self>) {
        let mut pause = SHORTEST_PAUSE;
        let mut last = None;
        let mut watch = Watch::default();
        loop {
            pause = match self.tell_groups(&mut last, &mut watch).await {
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
    async fn tell_groups(&self, last: &mut Option<GroupId>, watch: &mut Watch) -> Result<()> {
        loop {
            let heads = self.store.heads(*last, BATCH).await?;
            if heads.is_empty() {
                *last = None;
                watch.end_round();
                return Ok(());
            }
            for head in heads {
                *last = Some(head.group);
                let is_ours = self.store.is_ours(head.teller)
                    || watch.is_overdue(head, Instant::now()) && self.store.take_over(head).await?;
                if !is_ours {
                    continue;
                }
                let scope = || Scope::background(ChangeGroup::SPEC.deadline);
                match self.tell_ours(head.group, u64::MAX, scope).await {
                    Ok(_) => {}
                    // About this group alone.
                    Err(Failure::Refused(error))
                        if !matches!(error.code, Code::Unavailable | Code::Timeout) =>
                    {
                        tracing::warn!(%error, group = %head.group, "change of a group refused");
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
    }
}
