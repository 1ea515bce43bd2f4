//! One campaign, while this copy sends it.

use std::collections::VecDeque;
use std::time::Duration;

use broker_schemas::admin::CampaignState;
use broker_schemas::{Error, Timestamp, UserId};
use natter_host::{Result, failpoint};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::courier::Page;
use super::pace::Pace;
use super::{Courier, keeping_lease, lease};
use crate::store::{Store, Stored};

/// How long what was posted may wait to be noted: each note is a commit, on a disk that others write to as well. What was not
/// noted is asked for again after a crash, and a campaign that is halted goes on for so long.
const NOTE_EVERY: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Sends one campaign until it is done, halted, or another copy's.
pub(super) struct Runner<C> {
    store: Store,
    courier: C,
    copy: String,
    campaign: u64,
    stop: CancellationToken,
}

/// How far a runner is.
struct Progress {
    pace: Pace,
    /// Who comes next.
    waiting: VecDeque<UserId>,
    /// Up to whom users were asked for.
    asked: Option<UserId>,
    /// Up to whom it is posted, and not noted yet.
    posted: Option<UserId>,
    noted: Instant,
    pause: Duration,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Leave,
}

impl<C: Courier> Runner<C> {
    pub(super) const fn new(
        store: Store,
        courier: C,
        copy: String,
        campaign: u64,
        stop: CancellationToken,
    ) -> Self {
        Self { store, courier, copy, campaign, stop }
    }

    /// Sends. What goes wrong ends it for now; a second later it is begun again where it was.
    pub(super) async fn run(&self) {
        if let Err(failure) = self.send().await {
            tracing::warn!(?failure, campaign = self.campaign, "campaign interrupted");
        }
    }

    async fn send(&self) -> Result<()> {
        let Some(stored) = self.store.lease_campaign(self.campaign, lease(&self.copy)).await? else {
            return Ok(());
        };
        tracing::info!(campaign = self.campaign, after = ?stored.last_user, "sending");
        let mut progress = Progress {
            pace: Pace::new(stored.plan.per_second),
            waiting: VecDeque::new(),
            asked: stored.last_user,
            posted: None,
            noted: Instant::now(),
            pause: SHORTEST_PAUSE,
        };
        while self.step(&stored, &mut progress).await? == Then::GoOn {}
        Ok(())
    }

    /// Asks for users if none wait, else posts to some of them.
    async fn step(&self, stored: &Stored, progress: &mut Progress) -> Result<Then> {
        let now = Timestamp::now();
        let is_open = stored.plan.hours.is_none_or(|hours| hours.include(now))
            && stored.plan.ends_at.is_none_or(|end| now < end);
        if self.stop.is_cancelled() || !is_open {
            self.note(progress).await?;
            self.store.release_campaign(self.campaign, &self.copy).await?;
            return Ok(Then::Leave);
        }
        if progress.waiting.is_empty() {
            let ask = self.courier.page(&stored.plan.segment, progress.asked);
            return match keeping_lease(&self.store, &self.copy, self.campaign, ask).await {
                Ok(Page { last: None, .. }) => self.finish(progress).await,
                Ok(Page { users, last }) => {
                    // A page of nobody: its end is noted like what was posted.
                    if users.is_empty() {
                        progress.posted = last;
                    }
                    progress.waiting = users.into();
                    progress.asked = last;
                    self.note_in_time(progress).await
                }
                Err(error) => self.wait_out(progress, &error).await,
            };
        }
        let batch: Vec<_> = progress.waiting.iter().copied().take(progress.pace.batch()).collect();
        let (recipients, last) = (batch.len(), batch.last().copied());
        let post = self.courier.post(self.campaign, &stored.plan.text, batch);
        match keeping_lease(&self.store, &self.copy, self.campaign, post).await {
            Ok(()) => {
                failpoint::reach("admin.campaign.after_post");
                progress.waiting.drain(..recipients);
                progress.posted = last;
                progress.pause = SHORTEST_PAUSE;
                let due = progress.pace.sent(recipients, Instant::now());
                let then = self.note_in_time(progress).await?;
                if then == Then::GoOn {
                    self.rest(sleep_until(due)).await;
                }
                Ok(then)
            }
            Err(error) => self.wait_out(progress, &error).await,
        }
    }

    /// Everyone has it.
    async fn finish(&self, progress: &mut Progress) -> Result<Then> {
        if self.note(progress).await? == Then::GoOn {
            self.store.finish_campaign(self.campaign, &self.copy).await?;
            tracing::info!(campaign = self.campaign, "done");
        }
        Ok(Then::Leave)
    }

    async fn note_in_time(&self, progress: &mut Progress) -> Result<Then> {
        if progress.noted.elapsed() < NOTE_EVERY { Ok(Then::GoOn) } else { self.note(progress).await }
    }

    /// Notes up to whom it is posted, and learns whether to go on.
    async fn note(&self, progress: &mut Progress) -> Result<Then> {
        progress.noted = Instant::now();
        let Some(last) = progress.posted.take() else {
            let kept = self.store.lease_campaign(self.campaign, lease(&self.copy)).await?;
            return Ok(if kept.is_some() { Then::GoOn } else { Then::Leave });
        };
        let state = self.store.advance_campaign(self.campaign, lease(&self.copy), last).await?;
        Ok(if state == Some(CampaignState::Running) { Then::GoOn } else { Then::Leave })
    }

    /// Says what is wrong, and waits: longer each time.
    async fn wait_out(&self, progress: &mut Progress, error: &Error) -> Result<Then> {
        let then = self.note(progress).await?;
        if then == Then::GoOn {
            let words = error.to_string();
            self.store.trouble_campaign(self.campaign, lease(&self.copy), &words).await?;
            tracing::warn!(campaign = self.campaign, %error, "campaign can't be sent; trying again");
            self.rest(sleep(progress.pause)).await;
            progress.pause = (progress.pause * 2).min(LONGEST_PAUSE);
        }
        Ok(then)
    }

    /// Waits, unless it is to stop.
    async fn rest(&self, wait: impl Future<Output = ()>) {
        tokio::pin!(wait);
        let mut keep = tokio::time::interval(super::LEASE / 3);
        keep.tick().await;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = &mut wait => return,
                _ = keep.tick() => drop(self.store.lease_campaign(self.campaign, lease(&self.copy)).await),
            }
        }
    }
}

#[cfg(test)]
mod tests;
