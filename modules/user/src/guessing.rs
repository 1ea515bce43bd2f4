//! Limits on guessing passwords and on making accounts.
//!
//! A wrong password costs a piece of three budgets: that of the account from this address, that of the address, and,
//! from an address the owner never signed in from, that of the account. So one address can't try many accounts, many
//! addresses can't try one account, and none of it locks the owner out of where they usually are.
//!
//! What was spent is in the module's tables, so it counts in every copy and across restarts, and a right password writes
//! nothing there. What is under way counts in the memory of its copy: with several copies, a volley may fail once in each of
//! them, and all of it is to be waited for afterwards.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::{Error, Timestamp};
use natter_host::{Bus, Failure, Limiter};

use crate::Settings;
use crate::store::Store;

/// Where a client is, as far as limits go: an IPv4 address, or the /64 of an IPv6 address, of which one customer has
/// them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// The origin of an address as the edge saw it. Calls without one share an origin.
    pub(crate) fn of(address: Option<&str>) -> Self {
        let parse = |address: &str| {
            address.parse().or_else(|_| address.parse::<SocketAddr>().map(|socket| socket.ip())).ok()
        };
        Self(match address.and_then(parse).map(|address: IpAddr| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            None => "unknown".into(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The limits.
#[derive(Debug)]
pub(crate) struct Guessing {
    limits_guessing: bool,
    /// How many attempts from one address may fail at once.
    origin_burst: u32,
    store: Arc<Store>,
    under_way: Arc<UnderWay>,
    registrations: Limiter<String>,
}

impl Guessing {
    pub(crate) fn new(settings: &Settings, store: Arc<Store>) -> Self {
        // More than can wait for their hash at once, so that a crowd behind one address that comes back after a restart isn't
        // taken for guessing.
        let origin_burst = settings.hash_threads + settings.hash_queue + 100;
        let interval = Duration::from_millis(settings.register_interval_ms);
        Self {
            limits_guessing: settings.limit_guessing,
            origin_burst: u32::try_from(origin_burst).unwrap_or(u32::MAX),
            store,
            under_way: Arc::default(),
            registrations: Limiter::new(settings.register_burst, interval),
        }
    }

    /// The same limit on making accounts in every copy of the module; see [`Limiter::shared`].
    ///
    /// # Errors
    /// When the bus doesn't take the subscription.
    pub(crate) async fn shared(
        self,
        bus: &Bus,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (registrations, sharing) = self.registrations.shared(bus, "registrations").await?;
        Ok((Self { registrations, ..self }, sharing))
    }

    /// Begins an attempt at the password of `account`, which need not exist.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`].
    pub(crate) async fn attempt(
        &self,
        now: Timestamp,
        account: &str,
        origin: &Origin,
        origin_is_known: bool,
    ) -> Result<Attempt, Failure> {
        let budgets = self.budgets(account, origin, origin_is_known);
        // Counted before the look: whoever fails during it is among the others, even if it is not in what was read.
        let others = self.under_way.begin(&budgets);
        let attempt = Attempt { store: self.store.clone(), under_way: self.under_way.clone(), now, budgets };
        if attempt.budgets.is_empty() {
            return Ok(attempt);
        }
        let keys: Vec<_> = attempt.budgets.iter().map(|budget| &*budget.key).collect();
        let whole_at = self.store.budgets_whole_at(&keys).await?;
        for (budget, others) in attempt.budgets.iter().zip(others) {
            budget
                .check(now, whole_at.get(&budget.key), others)
                .map_err(|wait| Error::rate_limited("too many wrong passwords", wait))?;
        }
        Ok(attempt)
    }

    /// What a wrong password costs a piece of. In the order of their keys: so are they locked.
    fn budgets(&self, account: &str, origin: &Origin, origin_is_known: bool) -> Vec<Budget> {
        if !self.limits_guessing {
            return Vec::new();
        }
        let (every, origin) = (Duration::from_secs, origin.as_str());
        let mut budgets = Vec::with_capacity(3);
        if !origin_is_known {
            budgets.push(Budget { key: format!("account {account}"), burst: 50, refill: every(30) });
        }
        budgets.push(Budget { key: format!("origin {origin}"), burst: self.origin_burst, refill: every(1) });
        // The account last: a name may have spaces, and an address has none.
        budgets.push(Budget { key: format!("pair {origin} {account}"), burst: 5, refill: every(30) });
        budgets
    }

    /// Counts a registration.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`].
    pub(crate) fn registration(&self, origin: &Origin) -> Result<(), Error> {
        self.registrations.check(&origin.0, "too many new accounts from this address")
    }
}

/// So many pieces can be spent at once, and one comes back every `refill`.
#[derive(Debug)]
struct Budget {
    key: String,
    burst: u32,
    refill: Duration,
}

impl Budget {
    /// Whether there is a piece left when `under_way` more are as good as spent; else, how long to wait for one. All that must
    /// be known is when the budget is whole again (the generic cell rate algorithm).
    fn check(&self, now: Timestamp, whole_at: Option<&Timestamp>, under_way: u32) -> Result<(), Duration> {
        let spent = whole_at.map_or(0, |whole_at| u64::try_from(whole_at.0 - now.0).unwrap_or(0));
        // No more of those get through than the budget has pieces; so much longer is nobody's wait.
        let under_way = under_way.min(self.burst);
        let missing = Duration::from_millis(spent) + self.refill.saturating_mul(under_way.saturating_add(1));
        missing
            .checked_sub(self.refill.saturating_mul(self.burst))
            .filter(|wait| !wait.is_zero())
            .map_or(Ok(()), Err)
    }
}

/// How many attempts are under way in this copy, by the keys of the budgets that they may cost: never more than the calls that
/// it answers at once.
#[derive(Debug, Default)]
struct UnderWay(Mutex<HashMap<String, u32>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt. How many others there were, for each of the budgets.
    fn begin(&self, budgets: &[Budget]) -> Vec<u32> {
        let mut counts = self.lock();
        let count = |budget: &Budget| {
            let count = counts.entry(budget.key.clone()).or_default();
            *count += 1;
            *count - 1
        };
        budgets.iter().map(count).collect()
    }

    fn end(&self, budgets: &[Budget]) {
        let mut counts = self.lock();
        for budget in budgets {
            if let Some(count) = counts.get_mut(&budget.key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&budget.key);
                }
            }
        }
    }
}

/// An attempt at a password. Unless it turns out wrong, it costs nothing.
#[derive(Debug)]
pub(crate) struct Attempt {
    store: Arc<Store>,
    under_way: Arc<UnderWay>,
    now: Timestamp,
    budgets: Vec<Budget>,
}

impl Attempt {
    /// The password was wrong.
    ///
    /// # Errors
    /// When that can't be stored. Whoever tried must not be told that it was wrong, then.
    pub(crate) async fn failed(self) -> Result<(), Failure> {
        if self.budgets.is_empty() {
            return Ok(());
        }
        let pieces: Vec<_> = self.budgets.iter().map(|budget| (&*budget.key, budget.refill)).collect();
        self.store.spend(self.now, &pieces).await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.under_way.end(&self.budgets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::each_database;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn guessing(store: &Arc<Store>) -> Guessing {
        Guessing::new(&Settings::default(), store.clone())
    }

    fn origin(last: u8) -> Origin {
        Origin::of(Some(&format!("192.0.2.{last}")))
    }

    async fn attempt(
        guessing: &Guessing,
        account: &str,
        origin: &Origin,
        known: bool,
    ) -> Result<Attempt, Failure> {
        guessing.attempt(NOW, account, origin, known).await
    }

    async fn fail(guessing: &Guessing, account: &str, origin: &Origin, known: bool) -> Result<(), Failure> {
        attempt(guessing, account, origin, known).await?.failed().await
    }

    /// How long the refusal says to wait.
    fn wait(refused: Result<(), Failure>) -> u64 {
        match refused {
            Err(Failure::Refused(error)) => {
                assert_eq!(error.code, broker_schemas::Code::RateLimited);
                error.retry_after_ms.unwrap().into()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_origin_is_an_address_or_a_customers_network() {
        let of = |address| Origin::of(Some(address)).0;
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("192.0.2.7:50123"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("[2001:db8:1:2::9]:50123"), "2001:db8:1:2::/64");
        assert_eq!(of(&"x".repeat(10_000)), "unknown");
        assert_eq!(Origin::of(None).0, "unknown");
    }

    #[tokio::test]
    async fn five_wrong_passwords_and_then_a_pause_in_every_copy_and_after_a_restart() {
        each_database(async |store| {
            let store = Arc::new(store);
            let copies = [guessing(&store), guessing(&store)];
            for attempt in 0..5 {
                fail(&copies[attempt % 2], "alice", &origin(1), true).await.unwrap();
            }
            for copy in copies.iter().chain([&guessing(&store)]) {
                assert_eq!(wait(fail(copy, "alice", &origin(1), true).await), 30_000);
                fail(copy, "bob", &origin(1), true).await.unwrap();
            }
        })
        .await;
    }

    #[tokio::test]
    async fn right_passwords_cost_nothing_and_are_written_nowhere() {
        each_database(async |store| {
            let store = Arc::new(store);
            let guessing = guessing(&store);
            for _ in 0..100 {
                drop(attempt(&guessing, "alice", &origin(1), true).await.unwrap());
            }
            assert_eq!(store.forget_whole_budgets(Timestamp(i64::MAX)).await.unwrap(), 0);
            fail(&guessing, "alice", &origin(1), true).await.unwrap();
            assert_eq!(store.forget_whole_budgets(Timestamp(i64::MAX)).await.unwrap(), 2);
            assert!(guessing.under_way.lock().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn attempts_under_way_count_so_that_a_volley_is_no_way_around() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            let origin = origin(1);
            let volley = (0..10).map(|_| attempt(&guessing, "alice", &origin, true));
            let volley = futures_util::future::join_all(volley).await;
            assert_eq!(volley.iter().filter(|attempt| attempt.is_ok()).count(), 5);
            for attempt in volley.into_iter().flatten() {
                attempt.failed().await.unwrap();
            }
            assert_eq!(wait(fail(&guessing, "alice", &origin, true).await), 30_000);
        })
        .await;
    }

    #[tokio::test]
    async fn of_many_who_look_while_others_fail_no_more_get_through() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            let origin = origin(1);
            let all = (0..50).map(|_| fail(&guessing, "alice", &origin, true));
            let all = futures_util::future::join_all(all).await;
            let through = all.iter().filter(|failed| failed.is_ok()).count();
            assert!((1..=5).contains(&through), "{through}");
            // Nobody waits for the others who were refused, too.
            for refused in all.into_iter().filter(Result::is_err) {
                assert!(wait(refused) <= 6 * 30_000);
            }
            assert!(guessing.under_way.lock().is_empty(), "who was refused is not under way");
        })
        .await;
    }

    #[tokio::test]
    async fn a_right_password_is_taken_however_many_others_fail_while_it_looks() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            let others = (0..20).map(async |number| {
                for name in ["bob", "carol", "dave", "erin", "frank"] {
                    fail(&guessing, &format!("{name}{number}"), &origin(number), false).await.unwrap();
                }
            });
            let right = async {
                for _ in 0..20 {
                    drop(attempt(&guessing, "alice", &origin(200), true).await.unwrap());
                }
            };
            tokio::join!(futures_util::future::join_all(others), right);
        })
        .await;
    }

    #[tokio::test]
    async fn many_addresses_lock_an_account_but_not_its_owner() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            for last in 1..=50 {
                fail(&guessing, "alice", &origin(last), false).await.unwrap();
            }
            wait(fail(&guessing, "alice", &origin(250), false).await);
            fail(&guessing, "alice", &origin(251), true).await.unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn a_name_with_spaces_spends_nothing_of_others() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            for name in ["192.0.2.1 alice", "alice 192.0.2.1", "alice from 192.0.2.1"] {
                for _ in 0..5 {
                    fail(&guessing, name, &origin(2), false).await.unwrap();
                }
            }
            fail(&guessing, "alice", &origin(1), true).await.unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn one_address_cannot_try_many_accounts() {
        each_database(async |store| {
            let settings = Settings { hash_threads: 1, hash_queue: 1, ..Settings::default() };
            let guessing = Guessing::new(&settings, Arc::new(store));
            for n in 0..102 {
                fail(&guessing, &format!("user{n}"), &origin(1), false).await.unwrap();
            }
            assert_eq!(wait(fail(&guessing, "another", &origin(1), false).await), 1_000);
        })
        .await;
    }

    #[tokio::test]
    async fn a_refused_attempt_spends_nothing() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            for _ in 0..5 {
                fail(&guessing, "alice", &origin(1), false).await.unwrap();
            }
            for _ in 0..100 {
                wait(fail(&guessing, "alice", &origin(1), false).await);
            }
            for last in 2..=46 {
                fail(&guessing, "alice", &origin(last), false).await.unwrap();
            }
            wait(fail(&guessing, "alice", &origin(99), false).await);
        })
        .await;
    }

    #[tokio::test]
    async fn a_budget_comes_back_piece_by_piece() {
        each_database(async |store| {
            let guessing = guessing(&Arc::new(store));
            for _ in 0..5 {
                fail(&guessing, "alice", &origin(1), true).await.unwrap();
            }
            let fail_after = async |seconds| {
                let now = NOW.after(Duration::from_secs(seconds));
                guessing.attempt(now, "alice", &origin(1), true).await?.failed().await
            };
            assert_eq!(wait(fail_after(4).await), 26_000);
            fail_after(30).await.unwrap();
            assert_eq!(wait(fail_after(30).await), 30_000);
            // Nothing is left of what was spent long ago.
            for _ in 0..5 {
                fail_after(3_600).await.unwrap();
            }
            assert_eq!(wait(fail_after(3_600).await), 30_000);
        })
        .await;
    }

    #[tokio::test]
    async fn registrations_are_limited_per_address_unless_told_otherwise() {
        each_database(async |store| {
            let store = Arc::new(store);
            let limited = guessing(&store);
            let made = (0..100).filter(|_| limited.registration(&origin(1)).is_ok()).count();
            assert_eq!(made, 20);
            limited.registration(&origin(2)).unwrap();
            let unlimited = Guessing::new(&Settings { register_burst: 0, ..Settings::default() }, store);
            assert!((0..1_000).all(|_| unlimited.registration(&origin(1)).is_ok()));
        })
        .await;
    }
}
