//! Section `[admin]` of the configuration.

use serde::{Deserialize, Serialize};

/// Section `[admin]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many reports a user may make in 24 hours, and how many rules make about one user, 1 to 1,000. Default: 20.
    pub reports_per_day: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reports_per_day: 20 }
    }
}

impl Settings {
    /// # Errors
    /// Names the setting that is out of range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let reports = self.reports_per_day;
        anyhow::ensure!(
            (1..=1_000).contains(&reports),
            "admin.reports_per_day: expected 1 to 1000, got {reports}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_refused_by_name() {
        assert!(Settings::default().check().is_ok());
        let error = Settings { reports_per_day: 0 }.check().unwrap_err();
        assert!(error.to_string().contains("admin.reports_per_day: expected 1 to 1000, got 0"), "{error}");
    }
}
