//! Who can't write anywhere, and until when.

use std::collections::{BTreeSet, HashMap};

use broker_schemas::{Timestamp, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::rows::{padded, placeholders, user};
use super::{Result, Store};
use crate::access::silenced;

impl Store {
    /// Keeps a user from writing until a moment, or lets the user write again. What has ended is forgotten.
    pub(crate) async fn set_silence(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        let mut transaction = self.begin().await?;
        match until.filter(|until| *until > now) {
            Some(until) => sqlx::query(
                "INSERT INTO silence (user_id, until) VALUES ($1, $2) \
                 ON CONFLICT (user_id) DO UPDATE SET until = excluded.until",
            )
            .bind(i64::from(user))
            .bind(until.0),
            None => sqlx::query("DELETE FROM silence WHERE user_id = $1 OR until <= $2")
                .bind(i64::from(user))
                .bind(now.0),
        }
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
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
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for user in users {
            query = query.bind(i64::from(*user));
        }
        for _ in users.len()..rows {
            query = query.bind(0_i64);
        }
        let mut silences = HashMap::new();
        for row in query.fetch_all(&mut **transaction).await? {
            let until = Timestamp(row.try_get(1)?);
            if until > now {
                silences.insert(user(&row, 0)?, until);
            }
        }
        Ok(silences)
    }

    /// Until when a user can't write; `None` when the user can.
    pub(crate) async fn silence_of(
        reader: impl Executor<'_, Database = Any>,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let row = sqlx::query("SELECT until FROM silence WHERE user_id = $1 AND until > $2")
            .bind(i64::from(user))
            .bind(now.0)
            .fetch_optional(reader)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(Timestamp))
    }

    /// # Errors
    /// When the user can't write now.
    pub(crate) async fn check_not_silenced(
        reader: impl Executor<'_, Database = Any>,
        user: UserId,
        now: Timestamp,
    ) -> Result<()> {
        match Self::silence_of(reader, user, now).await? {
            Some(until) => Err(silenced(until).into()),
            None => Ok(()),
        }
    }
}
