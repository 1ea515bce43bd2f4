//! Who can't write anywhere, and until when.

use std::collections::{BTreeSet, HashMap};

use broker_schemas::{Timestamp, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::Row;

use super::rows::{bound_users, listing, padded, placeholders, user};
use super::{Result, Store};

impl Store {
    /// Keeps a user from writing until a moment, or lets the user write again, whatever was set before.
    #[cfg(test)]
    pub(crate) async fn set_silence(&self, user: UserId, until: Option<Timestamp>) -> Result<()> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static VERSION: AtomicU64 = AtomicU64::new(0);
        let version = VERSION.fetch_add(1, Ordering::Relaxed) + 1;
        natter_host::Silences::new(self.database.clone()).set(user, until, version).await
    }

    /// Those of these users who can't write, each with until when.
    pub(crate) async fn silences(
        transaction: &mut Transaction,
        users: &BTreeSet<UserId>,
        now: Timestamp,
    ) -> Result<HashMap<UserId, Timestamp>> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT user_id, until FROM silence WHERE user_id IN (VALUES {})",
            placeholders(Dialect::of(transaction), rows, 1)
        );
        let query = bound_users(listing(sql, rows), users, rows);
        let mut silences = HashMap::new();
        for row in query.fetch_all(&mut **transaction).await? {
            let until = Timestamp(row.try_get(1)?);
            if until > now {
                silences.insert(user(&row, 0)?, until);
            }
        }
        Ok(silences)
    }
}
