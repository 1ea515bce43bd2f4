//! Ids that are taken from the database many at a time, so that transactions that need one don't wait for each other.

use std::ops::Range;

use natter_host::{Database, Result};
use sqlx::query_scalar;
use tokio::sync::Mutex;

/// How many a copy takes at once. Those that are left when it ends name nothing, ever.
const AT_ONCE: i64 = 256;

/// Ids of one kind that this copy may give out.
#[derive(Debug)]
pub(super) struct Reserved {
    kind: &'static str,
    left: Mutex<Range<i64>>,
}

impl Reserved {
    pub(super) const fn of(kind: &'static str) -> Self {
        Self { kind, left: Mutex::const_new(0..0) }
    }

    /// One that was never given out before. Among copies they don't grow with time.
    pub(super) async fn next(&self, database: &Database) -> Result<i64> {
        let mut left = self.left.lock().await;
        if let Some(id) = left.next() {
            return Ok(id);
        }
        let last: i64 = query_scalar("UPDATE counter SET last = last + $1 WHERE name = $2 RETURNING last")
            .bind(AT_ONCE)
            .bind(self.kind)
            .fetch_one(database.write())
            .await?;
        *left = last - AT_ONCE + 1..last + 1;
        Ok(left.next().unwrap_or(last))
    }
}
