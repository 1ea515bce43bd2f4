//! What can go wrong between an application and an edge.

use std::time::Duration;

use broker_schemas::{Code, Error, Outcome};

use crate::BadAddress;

/// Why a call brought no reply. [`CallError::outcome`] says what the caller may conclude.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server answered with an error.
    #[error("{error}")]
    Refused {
        /// What it said.
        error: Error,
        /// What it said about whether the call happened.
        outcome: Outcome,
    },
    /// The request never left this process: no connection, or no room on it before the deadline.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request was sent, and no answer came: the connection broke, or the deadline passed.
    #[error("no answer: {0}")]
    Unanswered(String),
    /// The call succeeded, but this client does not understand the reply: it speaks another version.
    #[error("the reply can't be read: {0}")]
    Unreadable(String),
}

impl CallError {
    /// A refusal by this side, of a request that could only be refused by the other one.
    pub(crate) fn unfit(error: Error) -> Self {
        Self::Refused { outcome: error.outcome(), error }
    }

    /// Whether the call happened: [`Outcome::NotExecuted`] is safe to try again, [`Outcome::Unknown`] only with the same
    /// idempotency key, [`Outcome::Rejected`] only if the code says so.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { outcome, .. } => *outcome,
            Self::NotSent(_) => Outcome::NotExecuted,
            Self::Unanswered(_) | Self::Unreadable(_) => Outcome::Unknown,
        }
    }

    /// How long the server wants to be left alone, with [`Code::RateLimited`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { error, .. } => {
                error.retry_after_ms.map(|wait| Duration::from_millis(wait.into()))
            }
            _ => None,
        }
    }

    /// Why, as one of the contract's codes.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused { error, .. } => error.code,
            Self::NotSent(_) => Code::Unavailable,
            Self::Unanswered(_) => Code::Timeout,
            Self::Unreadable(_) => Code::Internal,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address has not the right form.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// Nobody listens there, or the network failed.
    #[error("no connection: {0}")]
    Io(#[from] std::io::Error),
    /// Somebody listens there who does not speak WebSocket, or not to us.
    #[error("no websocket: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    /// It took longer than [`crate::Options::connect_timeout`].
    #[error("no connection in time")]
    Timeout,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The server was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server was reached, and the call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The edge's word for it, such as `server_stopping`; none when the connection broke without one.
    pub code: Option<String>,
    /// Why, in words.
    pub message: String,
}

impl Closed {
    /// The edge's code for "this session is over, on purpose": its token is void.
    pub(crate) const SESSION_ENDED: &str = "session_ended";

    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into() }
    }
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
