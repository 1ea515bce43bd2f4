//! Trying again what another copy of the module got in the way of.

use std::future::Future;

use broker_schemas::Error;
use natter_host::{Failure, Result};

/// How often something is tried.
const TRIES: usize = 4;

/// Does `attempt`, a transaction, and again when it collided with another one.
pub(crate) async fn retrying<T, F>(attempt: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(failure) if tries < TRIES && is_collision(&failure) => tries += 1,
            done => return done,
        }
    }
}

/// Another copy stored the same row, or the two waited for each other's rows: nothing was done, and a second try sees what
/// the other one did.
pub(crate) fn is_collision(failure: &Failure) -> bool {
    let Failure::Broken(cause) = failure else { return false };
    let Some(sqlx::Error::Database(error)) = cause.downcast_ref() else { return false };
    const SERIALIZATION_FAILURE: &str = "40001";
    const DEADLOCK: &str = "40P01";
    error.is_unique_violation()
        || error.code().is_some_and(|code| code == DEADLOCK || code == SERIALIZATION_FAILURE)
}

/// What those are told whose batch failed; the cause is logged once for the whole batch.
pub(crate) fn refusal(failure: Failure) -> Error {
    match failure {
        Failure::Refused(error) => error,
        Failure::Broken(cause) => {
            tracing::error!(error = format!("{cause:#}"), "batch not stored");
            Error::internal()
        }
    }
}
