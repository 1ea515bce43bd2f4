//! Whoever delivers says so at regular times, and counts: an edge that misses a number has perhaps missed deliveries as well.
//!
//! An edge knows of its own connection when it breaks. What was lost before it got there, because the connection of
//! whoever said it broke, or one between two servers of the bus, it could not know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use broker_schemas::delivery::Beat;
use broker_schemas::{ContentType, subject};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::Shared;

/// What became of deliveries.
#[derive(Debug, Default)]
pub(super) struct Tally {
    deliveries: AtomicU64,
    lost: AtomicU64,
}

/// A delivery that is being handed to the bus. Dropped before that is done, it is lost: so is one whose handler ended in the middle.
#[must_use]
pub(super) struct Attempt<'a> {
    tally: &'a Tally,
    is_done: bool,
}

impl Tally {
    pub(super) const fn attempt(&self) -> Attempt<'_> {
        Attempt { tally: self, is_done: false }
    }
}

impl Attempt<'_> {
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
        // Not before it is out: a beat must not count what may still be lost behind it.
        self.tally.deliveries.fetch_add(1, Ordering::Release);
    }
}

/// Beats until the handle is dropped, if the holder of the bus delivers at all.
pub(super) fn begin(shared: &Arc<Shared>) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    if !shared.may.may_publish(&subject::beat()) {
        return Ok(None);
    }
    let beating = run(Arc::downgrade(shared), getrandom::u64()?);
    Ok(Some(AbortOnDropHandle::new(crate::process::spawn(beating))))
}

async fn run(shared: Weak<Shared>, by: u64) {
    let (mut number, mut breaks) = (0, 0);
    let mut ticks = interval(Beat::EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.outgoing.is_closed() {
            return;
        }
        let breaks_now = *shared.outgoing.lost().borrow();
        // A number that nobody says is one that everybody misses: what was on the connection that broke may not have arrived.
        number += if breaks_now == breaks { 1 } else { 2 };
        breaks = breaks_now;
        let deliveries = shared.tally.deliveries.load(Ordering::Acquire);
        let lost = shared.tally.lost.load(Ordering::Relaxed);
        let said = match ContentType::Postcard.encode(&Beat { by, number, deliveries, lost }) {
            Ok(body) => shared.publish(&subject::beat(), body.into()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = said {
            tracing::debug!(%error, "no beat");
        }
    }
}
