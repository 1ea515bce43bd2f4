//! Hears who delivers, and notices when deliveries may have been lost on the way here.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::delivery::Beat;
use broker_schemas::{ContentType, Error, subject};
use natter_host::Bus;
use natter_host::bus::Subscription;
use tokio::time::{Instant, timeout_at};

/// So long after this edge began, others are heard for the first time who have counted before. Later it is somebody whose beats
/// did not come here.
const ACQUAINTED_AFTER: Duration = Beat::EVERY.saturating_mul(2);
/// Whoever was silent for so long may have ended; if not, it will be noticed as new.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

pub(crate) struct Beats {
    subscription: Subscription,
    publishers: Publishers,
}

impl Beats {
    pub(crate) async fn subscribe(bus: &Bus) -> Result<Self, Error> {
        let subscription = bus.subscribe(&subject::beat()).await?;
        Ok(Self { subscription, publishers: Publishers::since(Instant::now()) })
    }

    /// Returns when deliveries may have been lost. May be dropped at any time.
    pub(crate) async fn missed(&mut self) {
        while let Some(body) = self.subscription.next().await {
            if self.publishers.hear(&body, Instant::now()) {
                tracing::info!("deliveries may have been lost on their way");
                return;
            }
        }
        // The bus is closed: the edge stops.
        std::future::pending().await
    }

    /// Hears what comes until then, for whoever is about to repair whatever was lost.
    pub(crate) async fn take_in_until(&mut self, then: Instant) {
        let take_in = async {
            loop {
                self.missed().await;
            }
        };
        let _: Result<(), _> = timeout_at(then, take_in).await;
    }
}

/// The last beat of each publisher, and when it was heard.
struct Publishers {
    last: HashMap<u64, (Beat, Instant)>,
    since: Instant,
}

impl Publishers {
    fn since(since: Instant) -> Self {
        Self { last: HashMap::new(), since }
    }

    /// Hears a beat at `now`. Whether deliveries before it may have been lost.
    fn hear(&mut self, body: &[u8], now: Instant) -> bool {
        let Ok(beat) = ContentType::Postcard.decode::<Beat>(body) else {
            tracing::warn!("a beat of an unknown shape");
            return false;
        };
        let Some((last, at)) = self.last.get_mut(&beat.by) else {
            self.last.retain(|_, (_, at)| now < *at + FORGOTTEN_AFTER);
            let is_missed = (beat.number > 1 && beat.deliveries > 0) || beat.lost > 0;
            self.last.insert(beat.by, (beat, now));
            return is_missed && now > self.since + ACQUAINTED_AFTER;
        };
        *at = now;
        if beat.number <= last.number {
            // It was overtaken, on another way through the bus, and missed before.
            return false;
        }
        let is_gap = beat.number > last.number + 1;
        let is_missed = (is_gap && beat.deliveries > last.deliveries) || beat.lost > last.lost;
        *last = beat;
        is_missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who says what at so many seconds since the edge began, and whether something may have been lost then.
    struct Case {
        second: u64,
        by: u64,
        number: u64,
        deliveries: u64,
        missed: bool,
    }

    const fn at(second: u64, [by, number, deliveries]: [u64; 3], missed: bool) -> Case {
        Case { second, by, number, deliveries, missed }
    }

    fn hear(cases: &[Case]) {
        let since = Instant::now();
        let mut publishers = Publishers::since(since);
        for Case { second, by, number, deliveries, missed } in cases {
            let beat = Beat { by: *by, number: *number, deliveries: *deliveries, lost: 0 };
            let body = ContentType::Postcard.encode(&beat).unwrap();
            let heard = publishers.hear(&body, since + Duration::from_secs(*second));
            assert_eq!(heard, *missed, "{beat:?} at {second} s");
        }
    }

    #[test]
    fn whoever_counts_on_is_complete_and_whoever_leaves_one_out_is_not() {
        hear(&[
            at(1, [7, 1, 0], false),
            at(2, [7, 2, 5], false),
            at(2, [8, 1, 0], false),
            at(3, [7, 4, 6], true),
            at(3, [8, 2, 9], false),
            at(4, [7, 5, 9], false),
        ]);
    }

    #[test]
    fn without_a_delivery_nothing_is_lost() {
        hear(&[at(1, [7, 1, 3], false), at(5, [7, 5, 3], false), at(10, [8, 4, 0], false)]);
    }

    #[test]
    fn what_the_bus_did_not_take_is_lost_though_no_beat_is() {
        let now = Instant::now();
        let mut publishers = Publishers::since(now);
        for (number, lost, missed) in [(1, 0, false), (2, 1, true), (3, 1, false), (4, 3, true)] {
            let beat = Beat { by: 7, number, deliveries: 10, lost };
            assert_eq!(
                publishers.hear(&ContentType::Postcard.encode(&beat).unwrap(), now),
                missed,
                "{beat:?}"
            );
        }
    }

    #[test]
    fn one_that_is_late_is_no_news() {
        hear(&[
            at(1, [7, 1, 0], false),
            at(2, [7, 3, 2], true),
            at(3, [7, 2, 1], false),
            at(4, [7, 4, 3], false),
        ]);
    }

    #[test]
    fn at_first_everybody_is_in_the_middle_and_later_only_who_was_not_heard() {
        hear(&[
            at(1, [7, 90, 10], false),
            at(2, [8, 40, 10], false),
            at(10, [9, 1, 0], false),
            at(11, [10, 3, 1], true),
        ]);
    }

    #[test]
    fn whoever_was_silent_for_long_is_forgotten_and_missed_when_it_is_back() {
        hear(&[
            at(1, [7, 1, 0], false),
            at(120, [8, 1, 0], false),
            at(121, [7, 120, 1], true),
            at(122, [7, 121, 2], false),
        ]);
    }

    #[test]
    fn what_is_no_beat_is_passed_over() {
        let now = Instant::now();
        assert!(!Publishers::since(now).hear(b"", now));
    }
}
