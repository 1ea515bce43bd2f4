//! Points at which a process can be made to die, so that it can be shown that nothing is lost there; and one bug that can be
//! planted, so that it can be shown that it would be noticed.
//!
//! Only programs that are built with the feature `failpoints` have them, as `make faults` does; in any other, a point is
//! nothing. `NATTER_FAILPOINTS` says what happens at which, separated by commas:
//!
//! - `POINT=abort@N`: the process aborts when it reaches the point for the `N`th time.
//! - `POINT.ack_before_commit=on`: what is committed by [`commit`] at this point is so only a moment after it said so.

use crate::database::Transaction;

/// The process is at this point.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_point: &str) {}

/// Commits, between the points `….before_commit` and `….after_commit`.
///
/// # Errors
/// Those of the database; then nobody knows whether it was committed.
#[cfg(not(feature = "failpoints"))]
pub async fn commit(transaction: Transaction, _point: &'static str) -> Result<(), sqlx::Error> {
    transaction.commit().await
}

#[cfg(feature = "failpoints")]
pub use compiled_in::{commit, reach};

#[cfg(feature = "failpoints")]
mod compiled_in {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::Transaction;

    enum Action {
        /// After so many times more.
        Abort(AtomicI64),
        On,
    }

    static ACTIONS: LazyLock<HashMap<String, Action>> = LazyLock::new(|| {
        let said = std::env::var("NATTER_FAILPOINTS").unwrap_or_default();
        // The fault matrix looks for this line.
        tracing::warn!(said, "built with failpoints");
        said.split(',').filter_map(action).collect()
    });

    fn action(said: &str) -> Option<(String, Action)> {
        let (point, action) = said.trim().split_once('=')?;
        let action = match action.strip_prefix("abort@") {
            Some(times) => Action::Abort(AtomicI64::new(times.parse().ok()?)),
            None => Action::On,
        };
        Some((point.to_owned(), action))
    }

    /// The process is at this point.
    pub fn reach(point: &str) {
        if let Some(Action::Abort(left)) = ACTIONS.get(point)
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            tracing::error!(point, "aborting as asked");
            std::process::abort();
        }
    }

    /// Commits, between the points `….before_commit` and `….after_commit`.
    ///
    /// # Errors
    /// Those of the database; then nobody knows whether it was committed.
    #[allow(clippy::disallowed_methods, reason = "a planted bug: nobody waits for this task")]
    pub async fn commit(transaction: Transaction, point: &'static str) -> Result<(), sqlx::Error> {
        if matches!(ACTIONS.get(&format!("{point}.ack_before_commit")), Some(Action::On)) {
            tokio::spawn(async move {
                // Long enough for the ack to leave.
                tokio::time::sleep(Duration::from_millis(20)).await;
                reach(&format!("{point}.before_commit"));
                match transaction.commit().await {
                    Ok(()) => reach(&format!("{point}.after_commit")),
                    Err(error) => tracing::error!(%error, point, "acked, and not committed"),
                }
            });
            return Ok(());
        }
        reach(&format!("{point}.before_commit"));
        transaction.commit().await?;
        reach(&format!("{point}.after_commit"));
        Ok(())
    }
}
