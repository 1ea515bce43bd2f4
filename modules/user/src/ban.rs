//! What a ban is, and what a banned user is told.

use broker_schemas::{Error, Timestamp};
use natter_host::moment;

/// Why and until when somebody is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ban {
    pub(crate) reason: String,
    /// For good when absent.
    pub(crate) until: Option<Timestamp>,
}

impl Ban {
    /// Whether it still holds.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// What the user is told.
    pub(crate) fn words(&self) -> String {
        match self.until {
            Some(until) => format!("you are banned until {}: {}", moment(until), self.reason),
            None => format!("you are banned for good: {}", self.reason),
        }
    }

    /// The refusal of a sign-in. Only for who has shown the right password: nobody else learns who is banned.
    pub(crate) fn refusal(&self) -> Error {
        Error::forbidden(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banned_learn_why_and_until_when() {
        let until = |until| Ban { reason: "spam".into(), until };
        assert_eq!(until(None).words(), "you are banned for good: spam");
        let temporary = until(Some(Timestamp(1_769_860_800_000)));
        assert_eq!(temporary.words(), "you are banned until 2026-01-31T12:00:00Z: spam");
        assert!(until(Some(Timestamp(i64::MAX))).words().contains("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn a_ban_ends_at_its_moment() {
        let ban = Ban { reason: "spam".into(), until: Some(Timestamp(5)) };
        assert!(ban.holds(Timestamp(4)) && !ban.holds(Timestamp(5)));
        assert!(Ban { until: None, ..ban }.holds(Timestamp(i64::MAX)));
    }
}
