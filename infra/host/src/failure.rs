//! Why a handler did not reply.

use broker_schemas::Error;

/// What a handler returns.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a handler did not reply. `?` makes one from a refusal, from a database error, and from anything else that
/// broke.
#[derive(Debug)]
pub enum Failure {
    /// A refusal that the caller gets as it is.
    Refused(Error),
    /// Something broke. The host logs the cause, once; the caller gets [`Error::internal`].
    Broken(anyhow::Error),
}

impl Failure {
    /// The same for a program that starts, or a task of a part's own, where nobody awaits a refusal.
    #[must_use]
    pub fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Refused(error) => error.into(),
            Self::Broken(cause) => cause,
        }
    }

    /// The database can't be used now, and nothing was done.
    pub(crate) fn database_away() -> Self {
        Self::Refused(Error::unavailable("the service's database can't be reached"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // No connection was had, so nothing was done.
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::database_away(),
            other => Self::Broken(anyhow::Error::new(other).context("database")),
        }
    }
}

impl From<broker_schemas::id::OutOfRange> for Failure {
    fn from(error: broker_schemas::id::OutOfRange) -> Self {
        Self::Broken(anyhow::Error::new(error).context("an id in the database"))
    }
}
