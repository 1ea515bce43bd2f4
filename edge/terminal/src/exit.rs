//! What a command's failure means for the shell.

use broker_schemas::Outcome;
use natter_client::{CallError, ConnectError, SignInError};

/// A failure with an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was typed makes no sense; nothing was tried.
    #[error("{0}")]
    Usage(String),
    /// The server was not reached.
    #[error("{0}")]
    Unreachable(String),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Connect(error) => error.into(),
            SignInError::Call(error) => error.into(),
        }
    }
}

/// The exit code of a failed `call` or `chat`: 1 rejected (or a fault of this program), 2 wrong usage,
/// 3 not executed or the server was not reached, 4 unknown whether it happened.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Usage(_)) => 2,
        Some(Failure::Unreachable(_)) => 3,
        Some(Failure::Call(error)) => match error.outcome() {
            Outcome::Rejected => 1,
            Outcome::NotExecuted => 3,
            Outcome::Unknown => 4,
        },
        None => 1,
    }
}
