//! Section `[message]` of the configuration.

use std::time::Duration;

use broker_schemas::group::MEMBERS_MAX;
use serde::{Deserialize, Serialize};

/// The most messages that can be set for one transaction.
pub(crate) const BATCH_MAX: usize = 1_024;
/// The longest time that can be set, in seconds: ten years.
const WITHIN_MAX_S: u32 = 315_360_000;

/// Section `[message]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many messages a user may send at once before the rate below applies, 1 or more; and as many edits, recalls and
    /// reactions.
    pub send_burst: u32,
    /// How many messages a user may send per second on average, and as many edits, recalls and reactions; 0 for no limit.
    pub send_per_second: u32,
    /// The most messages in one transaction, 1 to 1,024.
    pub batch: usize,
    /// For how long after sending it one may edit a message, in seconds, 0 to 315,360,000; 0 for not at all.
    pub edit_within_s: u32,
    /// For how long after sending it one may recall a message, in seconds, 0 to 315,360,000; 0 for not at all. The owner and
    /// the administrators of a group are not bound by it there.
    pub recall_within_s: u32,
    /// In groups of up to so many members, 0 to 10,000, everybody is told at once up to where somebody has read. In larger
    /// ones whoever wants to know asks; each message would otherwise cause as many events as there are members, for each.
    pub receipts_up_to: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            send_burst: 20,
            send_per_second: 5,
            batch: 256,
            edit_within_s: 15 * 60,
            recall_within_s: 2 * 24 * 60 * 60,
            receipts_up_to: 64,
        }
    }
}

impl Settings {
    /// # Errors
    /// Names the setting that is out of range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let ranges = [
            ("send_burst", u64::from(self.send_burst), 1, u64::from(u32::MAX)),
            ("batch", self.batch as u64, 1, BATCH_MAX as u64),
            ("edit_within_s", u64::from(self.edit_within_s), 0, u64::from(WITHIN_MAX_S)),
            ("recall_within_s", u64::from(self.recall_within_s), 0, u64::from(WITHIN_MAX_S)),
            ("receipts_up_to", u64::from(self.receipts_up_to), 0, MEMBERS_MAX as u64),
        ];
        for (name, got, least, most) in ranges {
            anyhow::ensure!(
                (least..=most).contains(&got),
                "message.{name}: expected {least} to {most}, got {got}"
            );
        }
        Ok(())
    }

    pub(crate) fn edit_within(&self) -> Duration {
        Duration::from_secs(self.edit_within_s.into())
    }

    pub(crate) fn recall_within(&self) -> Duration {
        Duration::from_secs(self.recall_within_s.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named_at_the_start() {
        Settings::default().check().unwrap();
        let wrong = [
            Settings { send_burst: 0, ..Settings::default() },
            Settings { batch: 0, ..Settings::default() },
            Settings { batch: BATCH_MAX + 1, ..Settings::default() },
            Settings { edit_within_s: WITHIN_MAX_S + 1, ..Settings::default() },
            Settings { recall_within_s: WITHIN_MAX_S + 1, ..Settings::default() },
            Settings { receipts_up_to: 10_001, ..Settings::default() },
        ];
        for settings in wrong {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.starts_with("message."), "{error}");
        }
    }
}
