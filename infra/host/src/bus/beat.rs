//! Whoever delivers says so at regular times, and counts: an edge that misses a number has perhaps missed deliveries as well.
//!
//! An edge knows of its own connection when it breaks. What was lost before it got there, because the connection of
//! whoever said it broke, or one between two servers of the bus, it could not know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use broker_schemas::delivery::Beat;
use broker_schemas::{ContentType, subject};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Shared;

/// Whether something was not handed to the bus since the last beat.
#[derive(Debug, Default)]
pub(super) struct Unsaid(AtomicBool);

impl Unsaid {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Beats for as long as the bus is used, if its holder delivers.
pub(super) fn begin(shared: &Arc<Shared>) -> anyhow::Result<()> {
    if shared.may.may_publish(&subject::beat()) {
        crate::process::spawn(run(Arc::downgrade(shared), getrandom::u64()?, shared.outgoing.lost()));
    }
    Ok(())
}

async fn run(shared: Weak<Shared>, by: u64, mut lost: watch::Receiver<u64>) {
    let mut number = 0;
    let mut ticks = interval(Beat::EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.outgoing.is_closed() {
            return;
        }
        number += 1;
        let (broke, unsaid) = (lost.has_changed().unwrap_or(false), shared.unsaid.take());
        lost.mark_unchanged();
        if broke || unsaid {
            // A number that nobody says is one that everybody misses.
            number += 1;
        }
        let said = match ContentType::Postcard.encode(&Beat { by, number }) {
            Ok(body) => shared.publish(&subject::beat(), body.into()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = said {
            tracing::debug!(%error, "no beat");
        }
    }
}
