//! Section `[group]` of the configuration.

use std::ops::RangeInclusive;
use std::time::Duration;

use broker_schemas::UserId;
use broker_schemas::group::MEMBERS_MAX;
use natter_host::Limiter;
use serde::{Deserialize, Serialize};

use crate::store::LISTED;

/// Section `[group]` of the configuration. What there is beyond a limit that was lowered stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many members a group may have, 2 to 10,000. Default: 1,000.
    pub max_members: u32,
    /// How many groups a user may be in, 1 to 1,000. Default: 200.
    pub max_groups: u32,
    /// How many people may ask to join a group at once, 1 to 1,000. Default: 200.
    pub max_asking: u32,
    /// How many people a group may keep out, 1 to 1,000. Default: 1,000.
    pub max_blocked: u32,
    /// How many groups a user may make at once; 0 for no limit. Default: 20.
    pub create_burst: u32,
    /// Milliseconds after which a user may make one more, 1 or more. Default: 30,000.
    pub create_interval_ms: u64,
    /// How many other changes of groups one user may make at once, joining and leaving among them; 0 for no limit.
    /// Default: 60.
    pub change_burst: u32,
    /// Milliseconds after which a user may make one more, 1 or more. Default: 1,000.
    pub change_interval_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_members: 1_000,
            max_groups: 200,
            max_asking: 200,
            max_blocked: 1_000,
            create_burst: 20,
            create_interval_ms: 30_000,
            change_burst: 60,
            change_interval_ms: 1_000,
        }
    }
}

impl Settings {
    /// # Errors
    /// Names the limit that is out of range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let most_members = u32::try_from(MEMBERS_MAX)?;
        let limits: [(&str, u32, RangeInclusive<u32>); 4] = [
            ("max_members", self.max_members, 2..=most_members),
            ("max_groups", self.max_groups, 1..=LISTED),
            ("max_asking", self.max_asking, 1..=LISTED),
            ("max_blocked", self.max_blocked, 1..=LISTED),
        ];
        for (name, limit, range) in limits {
            anyhow::ensure!(
                range.contains(&limit),
                "group.{name}: expected {} to {}, got {limit}",
                range.start(),
                range.end()
            );
        }
        anyhow::ensure!(self.create_interval_ms >= 1, "group.create_interval_ms: expected 1 or more");
        anyhow::ensure!(self.change_interval_ms >= 1, "group.change_interval_ms: expected 1 or more, got 0");
        Ok(())
    }

    /// How fast a user may make groups.
    pub(crate) fn making(&self) -> Limiter<UserId> {
        Limiter::new(self.create_burst, Duration::from_millis(self.create_interval_ms))
    }

    pub(crate) fn changes(&self) -> Limiter<UserId> {
        Limiter::new(self.change_burst, Duration::from_millis(self.change_interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_groups_are_made_at_once_and_more_only_after_a_while() {
        let settings = Settings { create_burst: 2, create_interval_ms: 60_000, ..Settings::default() };
        let (making, user) = (settings.making(), crate::group::tests::user);
        let made: Vec<_> = (0..4).map(|_| making.check(&user(1), "").is_ok()).collect();
        assert_eq!(made, [true, true, false, false]);
        assert!(making.check(&user(2), "").is_ok());
    }

    #[test]
    fn a_limit_that_an_answer_could_not_hold_is_refused_by_name() {
        assert!(Settings::default().check().is_ok());
        let error = Settings { max_members: 1, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("group.max_members: expected 2 to 10000, got 1"), "{error}");
        let error = Settings { max_groups: 1_001, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("group.max_groups: expected 1 to 1000"), "{error}");
        let error = Settings { create_interval_ms: 0, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("group.create_interval_ms: expected 1 or more"), "{error}");
        let error = Settings { change_interval_ms: 0, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("group.change_interval_ms: expected 1 or more"), "{error}");
    }
}
