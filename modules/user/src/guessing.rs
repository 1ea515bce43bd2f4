//! Limits on guessing passwords and on making accounts. They count in memory, so each copy of the module has its own.
//!
//! A wrong password costs a piece of three budgets: that of the account from this address, that of the address, and,
//! from an address the owner never signed in from, that of the account. So one address can't try many accounts, many
//! addresses can't try one account, and none of it locks the owner out of where they usually are.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker_schemas::Error;
use moka::sync::Cache;

use crate::Settings;

/// How many keys one limit remembers; the least used ones are forgotten first.
const REMEMBERED: u64 = 100_000;

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
    account_from_origin: Budgets,
    origin: Budgets,
    account_from_strangers: Budgets,
    registrations: Budgets,
}

impl Guessing {
    pub(crate) fn new(settings: &Settings) -> Self {
        let every = Duration::from_secs;
        let login = |burst: usize, refill| {
            let burst = if settings.limit_guessing { u32::try_from(burst).unwrap_or(u32::MAX) } else { 0 };
            Budgets::new(burst, refill)
        };
        Self {
            account_from_origin: login(5, every(30)),
            // More than can be under way at once, so that a crowd behind one address that comes back after a restart
            // isn't taken for guessing.
            origin: login(settings.hash_threads + settings.hash_queue + 100, every(1)),
            account_from_strangers: login(50, every(30)),
            registrations: Budgets::new(
                settings.register_burst,
                Duration::from_millis(settings.register_interval_ms),
            ),
        }
    }

    /// Begins an attempt at the password of `account`, which need not exist.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`].
    pub(crate) fn attempt(
        &self,
        account: &str,
        origin: &Origin,
        origin_is_known: bool,
    ) -> Result<Attempt, Error> {
        let mut attempt = Attempt { spent: Vec::with_capacity(3) };
        let pair = format!("{account} {}", origin.as_str());
        attempt.spend(&self.account_from_origin, &pair)?;
        attempt.spend(&self.origin, origin.as_str())?;
        if !origin_is_known {
            attempt.spend(&self.account_from_strangers, account)?;
        }
        Ok(attempt)
    }

    /// Counts a registration.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`].
    pub(crate) fn registration(&self, origin: &Origin) -> Result<(), Error> {
        let spent = self.registrations.spend(origin.as_str());
        spent.map(drop).map_err(|wait| Error::rate_limited("too many new accounts from this address", wait))
    }
}

/// An attempt at a password. Unless it turns out wrong, it costs nothing.
#[derive(Debug)]
pub(crate) struct Attempt {
    spent: Vec<Spent>,
}

impl Attempt {
    fn spend(&mut self, budgets: &Budgets, key: &str) -> Result<(), Error> {
        let spent = budgets.spend(key);
        let spent = spent.map_err(|wait| Error::rate_limited("too many wrong passwords", wait))?;
        self.spent.extend(spent);
        Ok(())
    }

    /// The password was wrong.
    pub(crate) fn failed(mut self) {
        self.spent.clear();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        for spent in &self.spent {
            spent.give_back();
        }
    }
}

/// One budget per key, of which `burst` pieces can be spent at once and one comes back every `refill`.
#[derive(Debug)]
struct Budgets {
    burst: u32,
    refill: Duration,
    budgets: Cache<String, Arc<Budget>>,
}

/// When the budget is whole again: all that must be known of it (the generic cell rate algorithm).
#[derive(Debug)]
struct Budget {
    whole_at: Mutex<Instant>,
}

/// A piece that was spent.
#[derive(Debug)]
struct Spent {
    budget: Arc<Budget>,
    piece: Duration,
}

impl Budgets {
    /// No limit when `burst` is 0.
    fn new(burst: u32, refill: Duration) -> Self {
        let whole_after = refill.saturating_mul(burst).max(Duration::from_secs(1));
        let budgets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(whole_after).build();
        Self { burst, refill, budgets }
    }

    /// Spends a piece, or says how long to wait for one.
    fn spend(&self, key: &str) -> Result<Option<Spent>, Duration> {
        if self.burst == 0 {
            return Ok(None);
        }
        let now = Instant::now();
        let budget = self.budgets.get_with_by_ref(key, || Arc::new(Budget { whole_at: Mutex::new(now) }));
        budget.spend(now, self.refill, self.refill.saturating_mul(self.burst))?;
        Ok(Some(Spent { budget, piece: self.refill }))
    }
}

impl Budget {
    fn spend(&self, now: Instant, piece: Duration, all: Duration) -> Result<(), Duration> {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let then = (*whole_at).max(now) + piece;
        let missing = then - now;
        if missing > all {
            return Err(missing - all);
        }
        *whole_at = then;
        Ok(())
    }
}

impl Spent {
    fn give_back(&self) {
        let mut whole_at = self.budget.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        *whole_at = whole_at.checked_sub(self.piece).unwrap_or(*whole_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessing() -> Guessing {
        Guessing::new(&Settings::default())
    }

    fn origin(last: u8) -> Origin {
        Origin::of(Some(&format!("192.0.2.{last}")))
    }

    fn fail(guessing: &Guessing, account: &str, origin: &Origin, known: bool) -> Result<(), Error> {
        guessing.attempt(account, origin, known).map(Attempt::failed)
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

    #[test]
    fn five_wrong_passwords_and_then_a_pause() {
        let guessing = guessing();
        for _ in 0..5 {
            fail(&guessing, "alice", &origin(1), true).unwrap();
        }
        let error = fail(&guessing, "alice", &origin(1), true).unwrap_err();
        assert_eq!(error.code, broker_schemas::Code::RateLimited);
        let wait = error.retry_after_ms.unwrap();
        assert!((25_000..=30_000).contains(&wait), "{wait}");
        fail(&guessing, "bob", &origin(1), true).unwrap();
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let guessing = guessing();
        for _ in 0..1_000 {
            drop(guessing.attempt("alice", &origin(1), true).unwrap());
        }
        fail(&guessing, "alice", &origin(1), true).unwrap();
    }

    #[test]
    fn attempts_under_way_count_so_that_a_volley_is_no_way_around() {
        let guessing = guessing();
        let volley: Vec<_> = (0..10).map(|_| guessing.attempt("alice", &origin(1), true)).collect();
        assert_eq!(volley.iter().filter(|attempt| attempt.is_ok()).count(), 5);
    }

    #[test]
    fn many_addresses_lock_an_account_but_not_its_owner() {
        let guessing = guessing();
        let failed = (1..=200).filter(|last| fail(&guessing, "alice", &origin(*last), false).is_ok()).count();
        assert_eq!(failed, 50);
        fail(&guessing, "alice", &origin(250), false).unwrap_err();
        fail(&guessing, "alice", &origin(251), true).unwrap();
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let guessing = guessing();
        let failed =
            (0..1_000).filter(|n| fail(&guessing, &format!("user{n}"), &origin(1), false).is_ok()).count();
        let Settings { hash_threads, hash_queue, .. } = Settings::default();
        let burst = hash_threads + hash_queue + 100;
        assert!((burst..burst + 5).contains(&failed), "{failed}");
    }

    #[test]
    fn a_refused_attempt_spends_nothing() {
        let guessing = guessing();
        for _ in 0..5 {
            fail(&guessing, "alice", &origin(1), false).unwrap();
        }
        for _ in 0..100 {
            fail(&guessing, "alice", &origin(1), false).unwrap_err();
        }
        for last in 2..=46 {
            fail(&guessing, "alice", &origin(last), false).unwrap();
        }
        fail(&guessing, "alice", &origin(99), false).unwrap_err();
    }

    #[test]
    fn a_budget_comes_back_piece_by_piece() {
        let (piece, all) = (Duration::from_secs(10), Duration::from_secs(20));
        let start = Instant::now();
        let budget = Budget { whole_at: Mutex::new(start) };
        budget.spend(start, piece, all).unwrap();
        budget.spend(start, piece, all).unwrap();
        assert_eq!(budget.spend(start + Duration::from_secs(4), piece, all), Err(Duration::from_secs(6)));
        budget.spend(start + piece, piece, all).unwrap();
        budget.spend(start + piece, piece, all).unwrap_err();
    }

    #[test]
    fn registrations_are_limited_per_address_unless_told_otherwise() {
        let limited = guessing();
        let made = (0..100).filter(|_| limited.registration(&origin(1)).is_ok()).count();
        assert_eq!(made, 20);
        limited.registration(&origin(2)).unwrap();
        let unlimited = Guessing::new(&Settings { register_burst: 0, ..Settings::default() });
        assert!((0..1_000).all(|_| unlimited.registration(&origin(1)).is_ok()));
    }
}
