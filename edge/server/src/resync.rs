//! After a disruption of the bus, here or on the way here: clients are told that they may have missed something, and
//! sessions are checked.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::delivery::Beat;
use tokio::time::{Instant, sleep, sleep_until};

use crate::beats::Beats;
use crate::deliver::Event;
use crate::gateway::Gateway;
use crate::jitter::within;
use crate::renew::SPREAD;

/// Clients answer with calls, so not all of them are told at once but in so many groups.
const GROUPS: u32 = 40;
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// What breaks one connection mostly breaks several: so long is waited for those who find out at their next beat.
const GATHER: Duration = Beat::EVERY.saturating_add(Duration::from_millis(250));
/// From one repair to the next, unless all was calm for the longest; doubled each time, for whoever keeps losing deliveries would
/// keep all clients busy.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Repairs after each disruption until the edge stops.
pub(crate) async fn run(gateway: Arc<Gateway>, mut beats: Beats) {
    let mut disruptions = gateway.bus.disruptions();
    disruptions.mark_unchanged();
    let repair_each = async {
        let (mut last, mut pause): (Option<Instant>, _) = (None, Duration::ZERO);
        loop {
            tokio::select! {
                changed = disruptions.changed() => if changed.is_err() { return },
                () = beats.missed() => {}
            }
            pause = match last {
                Some(last) if last.elapsed() <= LONGEST_PAUSE => {
                    (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
                }
                _ => Duration::ZERO,
            };
            let now = Instant::now();
            let begin = last.map_or(now, |last| last + pause).max(now + GATHER);
            beats.take_in_until(begin).await;
            // Not before the subscriptions are live again: what is missed after a client has synchronised would stay missed.
            while gateway.bus.fence().await.is_err() {
                sleep(TRY_AGAIN).await;
            }
            // Whatever broke until now is repaired by what follows.
            disruptions.mark_unchanged();
            last = Some(Instant::now());
            repair(&gateway).await;
        }
    };
    tokio::select! {
        () = gateway.stopping.cancelled() => {}
        () = repair_each => {}
    }
}

async fn repair(gateway: &Arc<Gateway>) {
    let sessions = gateway.sessions.all();
    tracing::info!(sessions = sessions.len(), "clients are told to catch up");
    // Renewing a session repairs which groups its user is in; who turns out to have joined one is told to catch up once
    // more. What else was lost of deliveries to groups needs no repair here: the versions of later ones tell of it.
    gateway.renew_all();
    let mut event = Event::resync();
    let group = sessions.len() / GROUPS as usize + 1;
    for some in sessions.chunks(group) {
        event.send_to_all(some);
        // Half of the most, on average.
        sleep_until(within(2 * SPREAD / GROUPS)).await;
    }
}
