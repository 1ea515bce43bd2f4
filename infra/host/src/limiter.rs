//! How fast one user may do what costs others something.
//!
//! Each copy of a module counts in memory, and tells the others what was spent ([`Limiter::shared`]). What is told is a hint: while
//! it is under way, or when it got lost, a budget is looser. It is told at once as long as little is, so that what follows
//! at another copy is refused there; under load it is gathered, so that what is limited costs no message of its own.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::delivery::{Pieces, SPENT_MAX, Spent};
use broker_schemas::subject::{self, Subject};
use broker_schemas::{ContentType, Error, List};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::OptionFuture;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::Bus;

/// Forget the keys whose budget is whole once there are this many.
const KEPT: usize = 100_000;
/// For how long what was spent is gathered when it isn't told at once.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// How many times a limiter may tell at once what was spent, and how often again each second.
const AT_ONCE_BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
const AT_ONCE_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Whose budget it is.
pub trait Key: Debug + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<K: Debug + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static> Key for K {}

/// A budget for each key, of which so many pieces can be spent at once, and one comes back each interval (the generic cell
/// rate algorithm).
#[derive(Debug)]
pub struct Limiter<K: Key> {
    /// Absent when there is no limit.
    budgets: Option<Arc<Budgets<K>>>,
    copies: Option<Arc<Copies<K>>>,
}

#[derive(Debug)]
struct Budgets<K: Key> {
    burst: u32,
    left: DefaultKeyedRateLimiter<K>,
}

/// What the other copies of the module are told.
#[derive(Debug)]
struct Copies<K: Key> {
    bus: Bus,
    subject: Subject,
    /// This copy.
    me: u64,
    at_once: DefaultDirectRateLimiter,
    /// What was spent and isn't told yet, at most [`SPENT_MAX`] keys.
    gathered: Mutex<HashMap<K, u32>>,
    is_gathering: Notify,
}

impl<K: Key> Limiter<K> {
    /// No limit when `burst` or `interval` is 0.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Self {
        let budgets = NonZeroU32::new(burst)
            .and_then(|burst| Some(Quota::with_period(interval)?.allow_burst(burst)))
            .map(|quota| Arc::new(Budgets { burst, left: RateLimiter::keyed(quota) }));
        Self { budgets, copies: None }
    }

    /// The same budgets in every copy of the module whose bus it is, which calls the limit `name` (a token of a subject). The work
    /// that this takes goes on until it is dropped.
    ///
    /// # Errors
    /// When the bus doesn't take the subscription.
    pub async fn shared(
        self,
        bus: &Bus,
        name: &'static str,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + 'static + use<K>)> {
        let mut sharing = None;
        let mut copies = None;
        if let Some(budgets) = self.budgets.clone() {
            let subject = subject::spent(bus.holder().name(), name);
            let mut told = bus.subscribe(&subject).await?;
            let (me, gathered, is_gathering) = (getrandom::u64()?, Mutex::default(), Notify::new());
            let at_once = Quota::per_second(AT_ONCE_PER_SECOND).allow_burst(AT_ONCE_BURST);
            let at_once = RateLimiter::direct(at_once);
            let all = Arc::new(Copies { bus: bus.clone(), subject, me, at_once, gathered, is_gathering });
            copies = Some(all.clone());
            sharing = Some(async move {
                let hear = async {
                    while let Some(body) = told.next().await {
                        all.hear(&budgets, &body);
                    }
                };
                tokio::join!(hear, all.tell_what_is_gathered());
            });
        }
        Ok((Self { copies, ..self }, OptionFuture::from(sharing).map(drop)))
    }

    /// Spends a piece of the budget of `key`. `words` say what happens too fast.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`], with how long to wait for a piece. Nothing is spent.
    pub fn check(&self, key: &K, words: &str) -> Result<(), Error> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        budgets.spend(key).map_err(|wait| Error::rate_limited(words, wait))?;
        if let Some(copies) = &self.copies {
            copies.spent(key);
        }
        Ok(())
    }
}

impl<K: Key> Budgets<K> {
    /// Spends a piece, or says how long to wait for one.
    fn spend(&self, key: &K) -> Result<(), Duration> {
        if self.left.len() > KEPT {
            self.left.retain_recent();
        }
        self.left.check_key(key).map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

impl<K: Key> Copies<K> {
    fn gathered(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the others told that this copy spent a piece.
    fn spent(&self, key: &K) {
        let mut gathered = self.gathered();
        let kept = gathered.len();
        if let Some(count) = gathered.get_mut(key) {
            *count = count.saturating_add(1);
        } else if kept < SPENT_MAX {
            gathered.insert(key.clone(), 1);
        }
        if kept > 0 {
            return;
        }
        if self.at_once.check().is_err() {
            self.is_gathering.notify_one();
            return;
        }
        let spent = std::mem::take(&mut *gathered);
        drop(gathered);
        // Now or never: whoever spends doesn't wait for it, and what is answered afterwards comes after it on the connection.
        if self.tell(spent).now_or_never().is_none() {
            tracing::debug!(subject = %self.subject, "the bus had no room for what was spent");
        }
    }

    async fn tell_what_is_gathered(&self) {
        loop {
            self.is_gathering.notified().await;
            tokio::time::sleep(GATHERED_FOR).await;
            let spent = std::mem::take(&mut *self.gathered());
            self.tell(spent).await;
        }
    }

    async fn tell(&self, spent: HashMap<K, u32>) {
        let pieces = spent
            .into_iter()
            .filter_map(|(key, count)| postcard::to_stdvec(&key).ok().map(|key| Pieces { key, count }));
        let Ok(pieces) = List::new(pieces.collect()) else { return };
        let told = match ContentType::Postcard.encode(&Spent { by: self.me, pieces }) {
            Ok(body) => self.bus.publish(&self.subject, Bytes::from(body)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::debug!(subject = %self.subject, %error, "other copies don't know what was spent");
        }
    }

    /// Spends what another copy spent, as far as there is as much left.
    fn hear(&self, budgets: &Budgets<K>, body: &[u8]) {
        let Ok(spent) = ContentType::Postcard.decode::<Spent>(body) else {
            tracing::warn!(subject = %self.subject, "not understood what another copy spent");
            return;
        };
        if spent.by == self.me {
            return;
        }
        for Pieces { key, count } in spent.pieces.into_inner() {
            let Ok(key) = postcard::from_bytes(&key) else { continue };
            // No more are there than a burst.
            let _ = (0..count.min(budgets.burst)).try_for_each(|_| budgets.spend(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::Code;

    #[test]
    fn a_burst_passes_and_what_follows_is_told_how_long_to_wait() {
        let limiter = Limiter::new(3, Duration::from_secs(60));
        for _ in 0..3 {
            limiter.check(&1, "too fast").unwrap();
        }
        let error = limiter.check(&1, "too fast").unwrap_err();
        assert_eq!((error.code, &*error.message), (Code::RateLimited, "too fast"));
        assert!(error.retry_after_ms.is_some_and(|wait| (50_000..=60_000).contains(&wait)), "{error:?}");
        limiter.check(&2, "too fast").unwrap();
    }

    #[test]
    fn zero_means_no_limit() {
        for limiter in [Limiter::new(0, Duration::from_secs(1)), Limiter::new(1, Duration::ZERO)] {
            assert!((0..1_000).all(|_| limiter.check(&1, "too fast").is_ok()));
        }
    }

    #[test]
    fn what_is_kept_of_those_who_did_nothing_for_long_is_bounded() {
        let limiter = Limiter::new(1, Duration::from_nanos(1));
        for key in 0..=2 * KEPT {
            limiter.check(&key, "too fast").unwrap();
        }
        assert!(limiter.budgets.unwrap().left.len() <= KEPT + 1);
    }
}
