//! Section `[user]` of the configuration.

use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// Section `[user]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Threads that hash passwords at once, 1 or more. Each takes 19 MiB and a core for some 30 ms per sign-in.
    /// Default: half of the cores.
    pub hash_threads: usize,
    /// Sign-ins that may wait for such a thread, 1 or more; further ones are refused as `unavailable`. Default: 64,
    /// which one thread works off within a sign-in's deadline.
    pub hash_queue: usize,
    /// Hash passwords so cheaply that whoever steals the database can guess them. For tests and benchmarks only.
    /// Default: false.
    pub insecure_fast_hashing: bool,
    /// Whether wrong passwords make further attempts wait. For tests and benchmarks only: leave it on. Default: true.
    pub limit_guessing: bool,
    /// Accounts that one address may register at once; 0 for no limit. Default: 20.
    pub register_burst: u32,
    /// Milliseconds after which an address may register one more, 1 or more. Default: 3,000.
    pub register_interval_ms: u64,
    /// Seconds for which a passport proves who somebody is, 60 to 600: that long can a session that was ended be used
    /// by an edge that doesn't heed. Default: 300.
    pub passport_lifetime_s: u64,
    /// Days after which a session that was not resumed ends, 1 to 365. Default: 30.
    pub session_lifetime_days: u64,
    /// Sessions that a user may have, 1 to 1,000; a further sign-in ends the oldest. Default: 20.
    pub sessions_per_user: u32,
    /// Seconds of silence after which an edge counts as gone and its sessions as closed, 5 to 300. Default: 10.
    pub edge_lease_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            hash_threads: (cores / 2).max(1),
            hash_queue: 64,
            insecure_fast_hashing: false,
            limit_guessing: true,
            register_burst: 20,
            register_interval_ms: 3_000,
            passport_lifetime_s: 300,
            session_lifetime_days: 30,
            sessions_per_user: 20,
            edge_lease_s: 10,
        }
    }
}

impl Settings {
    /// Whether every value is in its range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!((1..=1_024).contains(&self.hash_threads), "user.hash_threads: expected 1 to 1024");
        ensure!((1..=100_000).contains(&self.hash_queue), "user.hash_queue: expected 1 to 100000");
        ensure!(self.register_interval_ms >= 1, "user.register_interval_ms: expected 1 or more");
        ensure!(
            (60..=600).contains(&self.passport_lifetime_s),
            "user.passport_lifetime_s: expected 60 to 600"
        );
        ensure!(
            (1..=365).contains(&self.session_lifetime_days),
            "user.session_lifetime_days: expected 1 to 365"
        );
        ensure!((1..=1_000).contains(&self.sessions_per_user), "user.sessions_per_user: expected 1 to 1000");
        ensure!((5..=300).contains(&self.edge_lease_s), "user.edge_lease_s: expected 5 to 300");
        Ok(())
    }

    pub(crate) const fn passport_lifetime(&self) -> Duration {
        Duration::from_secs(self.passport_lifetime_s)
    }

    pub(crate) const fn session_lifetime(&self) -> Duration {
        Duration::from_secs(self.session_lifetime_days * 24 * 60 * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let error = Settings { passport_lifetime_s: 3_600, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("user.passport_lifetime_s"), "{error}");
        assert!(Settings { sessions_per_user: 0, ..Settings::default() }.check().is_err());
        assert!(Settings { hash_threads: 0, ..Settings::default() }.check().is_err());
    }
}
