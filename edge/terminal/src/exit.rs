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

/// The exit code of a failed `call`, `chat` or `admin`: 1 rejected (or a fault of this program), 2 wrong usage,
/// 3 not executed or the server was not reached, 4 unknown whether it happened.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let outcome = match error.downcast_ref::<Failure>() {
        Some(Failure::Usage(_)) => return 2,
        Some(Failure::Unreachable(_)) => return 3,
        Some(Failure::Call(error)) => error.outcome(),
        // From a call on the bus.
        None => match error.downcast_ref::<broker_schemas::Error>() {
            Some(error) => error.outcome(),
            None => return 1,
        },
    };
    match outcome {
        Outcome::Rejected => 1,
        Outcome::NotExecuted => 3,
        Outcome::Unknown => 4,
    }
}
