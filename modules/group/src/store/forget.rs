//! Deleted users.

use std::collections::BTreeSet;

use broker_schemas::{GroupId, UserId};
use natter_host::{Dialect, Result, Transaction, placeholders};
use sqlx::{AssertSqlSafe, query, query_scalar};

use super::Store;

/// Apart from whatever else takes advisory locks in the database.
const LOCKS: i32 = 0x6772_6f75;
/// So many locks are shared by all users: PostgreSQL has room for some thousands, and a large group would need one for each.
const LOCKS_OF_USERS: i64 = 64;

impl Store {
    /// Notes that a user is gone: from now on nobody makes them a member of a group. Waits for those who are doing so, and
    /// what they did is seen by whoever reads next.
    pub(crate) async fn depart(&self, user: UserId) -> Result<()> {
        let mut transaction = self.database.begin().await?;
        lock(&mut transaction, "pg_advisory_xact_lock", &[user]).await?;
        query("INSERT INTO departed (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING")
            .bind(i64::from(user))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Up to `limit` groups that `user` is in, dissolved ones too.
    pub(crate) async fn memberships(&self, user: UserId, limit: u32) -> Result<Vec<GroupId>> {
        let groups: Vec<i64> =
            query_scalar("SELECT group_id FROM member WHERE user_id = $1 ORDER BY group_id LIMIT $2")
                .bind(i64::from(user))
                .bind(i64::from(limit))
                .fetch_all(self.database.read())
                .await?;
        groups.into_iter().map(|group| Ok(group.try_into()?)).collect()
    }

    /// Forgets up to `limit` groups that `user` asks to join or is kept out of; returns how many those were.
    pub(crate) async fn forget_outsider(&self, user: UserId, limit: u32) -> Result<u64> {
        const SQL: &str = "
            DELETE FROM outsider WHERE user_id = $1 AND group_id IN
                (SELECT group_id FROM outsider WHERE user_id = $1 ORDER BY group_id LIMIT $2)";
        let forgotten =
            query(SQL).bind(i64::from(user)).bind(i64::from(limit)).execute(self.database.write()).await?;
        Ok(forgotten.rows_affected())
    }

    /// Forgets the groups that `user` left while muted.
    pub(crate) async fn forget_mutes(&self, user: UserId) -> Result<()> {
        query("DELETE FROM kept_mute WHERE user_id = $1")
            .bind(i64::from(user))
            .execute(self.database.write())
            .await?;
        Ok(())
    }
}

/// Keeps `users` from departing until the transaction is over. Whoever has departed is seen by the next statement, and not
/// by this one.
pub(super) async fn keep_from_departing(transaction: &mut Transaction, users: &[UserId]) -> Result<()> {
    lock(transaction, "pg_advisory_xact_lock_shared", users).await
}

/// Takes the locks of `users`, in an order that is the same for all. SQLite has one writer, who needs none.
async fn lock(transaction: &mut Transaction, function: &str, users: &[UserId]) -> Result<()> {
    if Dialect::of(transaction) == Dialect::Sqlite {
        return Ok(());
    }
    let locks: BTreeSet<i64> = users.iter().map(|user| i64::from(*user) % LOCKS_OF_USERS).collect();
    let list = placeholders(1, locks.len()).replace(", ", "), (");
    // A function that returns nothing has to return something that can be read.
    let sql = format!(
        "SELECT COUNT(CAST({function}({LOCKS}, CAST(column1 AS INTEGER)) AS TEXT)) FROM (VALUES ({list})) AS b"
    );
    let mut locked = query_scalar::<_, i64>(AssertSqlSafe(sql)).persistent(locks.len() == 1);
    for number in locks {
        locked = locked.bind(number);
    }
    locked.fetch_one(&mut **transaction).await?;
    Ok(())
}
