//! Section `[friend]` of the configuration.

use std::time::Duration;

use broker_schemas::UserId;
use natter_host::Limiter;
use serde::{Deserialize, Serialize};

use crate::store::LISTED;

/// Section `[friend]` of the configuration. Each `max_` is from 1 to 1,024; what a user has beyond a limit that was lowered
/// stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many friends a user may have.
    pub max_friends: u32,
    /// How many requests of one user may wait for an answer.
    pub max_pending: u32,
    /// How many users one user may block.
    pub max_blocked: u32,
    /// How many requests, answers and ends of friendships one user may make at once; 0 for no limit.
    pub change_burst: u32,
    /// Milliseconds after which a user may make one more, 1 or more.
    pub change_interval_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_friends: 500,
            max_pending: 100,
            max_blocked: 500,
            change_burst: 60,
            change_interval_ms: 1_000,
        }
    }
}

impl Settings {
    /// # Errors
    /// Names the limit that is out of range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let limits = [
            ("max_friends", self.max_friends),
            ("max_pending", self.max_pending),
            ("max_blocked", self.max_blocked),
        ];
        for (name, limit) in limits {
            anyhow::ensure!(
                (1..=LISTED).contains(&limit),
                "friend.{name}: expected 1 to {LISTED}, got {limit}"
            );
        }
        anyhow::ensure!(self.change_interval_ms >= 1, "friend.change_interval_ms: expected 1 or more, got 0");
        Ok(())
    }

    pub(crate) fn changes(&self) -> Limiter<UserId> {
        Limiter::new(self.change_burst, Duration::from_millis(self.change_interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_an_answer_could_not_hold_is_refused_by_name() {
        assert!(Settings::default().check().is_ok());
        let error = Settings { max_blocked: 0, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("friend.max_blocked: expected 1 to 1024"), "{error}");
        let error = Settings { change_interval_ms: 0, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("friend.change_interval_ms: expected 1 or more"), "{error}");
    }
}
