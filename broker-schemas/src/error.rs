//! What can go wrong, as one closed list of codes with fixed numbers, and what the caller may conclude.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a call was refused. The numbers travel in `Nats-Service-Error-Code` and never change; they follow HTTP
/// where HTTP has the notion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, postcard_schema::Schema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 400: the request can't be read, or breaks a stated rule.
    Invalid,
    /// 401: nobody is signed in, or the passport or token is not (or no longer) good.
    Unauthenticated,
    /// 403: signed in, but not allowed to do this.
    Forbidden,
    /// 404: it does not exist, or the caller may not know that it does.
    NotFound,
    /// 409: it clashes with what is already there.
    Conflict,
    /// 413: longer than the stated maximum.
    TooLarge,
    /// 429: too many, too fast; `retry_after_ms` says when to try again.
    RateLimited,
    /// 500: a fault inside the callee; its cause is in the callee's log. It may or may not have happened.
    Internal,
    /// 503: not done, because the callee is absent, full, or stopping. Safe to try again.
    Unavailable,
    /// 504: no answer in time. It may or may not have happened.
    Timeout,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 10] = [
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
        Self::Timeout,
    ];

    /// The number that travels in `Nats-Service-Error-Code`.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// The code with this number. Another team's service may answer with any number: what the list doesn't have
    /// becomes [`Code::Invalid`] below 500 and [`Code::Internal`] from there on.
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(if number < 500 {
            Self::Invalid
        } else {
            Self::Internal
        })
    }

    /// The name by which clients know the code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
        }
    }

    /// What the caller may conclude from this code.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Unavailable => Outcome::NotExecuted,
            Self::Internal | Self::Timeout => Outcome::Unknown,
            _ => Outcome::Rejected,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the caller knows about a call that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, postcard_schema::Schema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The callee said no; nothing else happened. Trying again helps only if the code says so.
    Rejected,
    /// Nothing happened: nobody serves it, or it was refused before it began. Safe to try again.
    NotExecuted,
    /// It may or may not have happened. Try again only with the same idempotency key.
    Unknown,
}

impl Outcome {
    /// The name by which clients know the outcome.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::NotExecuted => "not_executed",
            Self::Unknown => "unknown",
        }
    }
}

/// A refusal: what a handler returns and what a caller receives. The words are for a person; they carry no internal
/// cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Why.
    pub code: Code,
    /// Why, in words that say what was wrong and what is accepted.
    pub message: String,
    /// With [`Code::RateLimited`]: how long to wait, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

impl Error {
    /// An error with `code`, explained by `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// [`Code::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// [`Code::Unauthenticated`].
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }

    /// [`Code::Forbidden`].
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// [`Code::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// [`Code::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// [`Code::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// [`Code::Timeout`].
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Code::Timeout, message)
    }

    /// [`Code::Internal`], with the only words that the outside gets. Log the cause where you make this.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "internal error; its cause is in the service's log")
    }

    /// [`Code::RateLimited`], to be tried again after `wait`.
    pub fn rate_limited(message: impl Into<String>, wait: std::time::Duration) -> Self {
        Self {
            code: Code::RateLimited,
            message: message.into(),
            retry_after_ms: Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
        }
    }

    /// What the caller may conclude.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.code.outcome()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_survive_the_wire() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), code);
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }

    #[test]
    fn a_strangers_number_keeps_its_side_of_the_blame() {
        assert_eq!(Code::from_number(418), Code::Invalid);
        assert_eq!(Code::from_number(599), Code::Internal);
    }
}
