//! Who can't say anything to others, and until when.
//!
//! A moderator's mute is kept by each module through which one speaks, in its own tables. So it holds for every copy from the
//! moment it was stored, and whatever else is down; and no call asks another module for it.

use broker_schemas::{Error, Timestamp, UserId};
use sqlx::{Any, Executor, query, query_scalar};

use crate::{Database, Result, moment};

/// The table in which a module keeps it, for one of its migrations.
pub const SILENCE_TABLE: &str = "
-- Who can't say anything to others, until when.
CREATE TABLE silence (
    user_id BIGINT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

CREATE INDEX silence_by_until ON silence (until);";

/// What brings the versions into that table, for a later migration.
pub const SILENCE_VERSION: &str = "
-- Grows with each mute and its end, so that an older one doesn't undo a newer one. What has ended stays, for its version.
ALTER TABLE silence ADD COLUMN version BIGINT NOT NULL DEFAULT 0;";

/// Who is silenced, in a module's tables, where migrations of the module made [`SILENCE_TABLE`] and
/// [`SILENCE_VERSION`].
#[derive(Debug, Clone)]
pub struct Silences {
    database: Database,
}

impl Silences {
    /// Those in the tables.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Silences a user until a moment, or lets the user speak again: what a module's `set_silence` does. One that is older than
    /// what the module knows of the user changes nothing: what was decided after it holds.
    ///
    /// # Errors
    /// When it can't be stored.
    pub async fn set(&self, user: UserId, until: Option<Timestamp>, version: u64) -> Result<()> {
        const SQL: &str = "
            INSERT INTO silence (user_id, until, version) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET until = excluded.until, version = excluded.version
            WHERE silence.version < excluded.version";
        let mut transaction = self.database.begin().await?;
        let set = query(SQL)
            .bind(i64::from(user))
            .bind(until.map_or(0, |until| until.0))
            .bind(i64::try_from(version).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        tracing::info!(%user, ?until, version, is_newer = set.rows_affected() > 0, "silence told");
        Ok(())
    }

    /// Checks that a user may say something to others now.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Forbidden`] when the user is silenced, with until when.
    pub async fn check(&self, user: UserId) -> Result<()> {
        check_not_silenced(self.database.read(), user, Timestamp::now()).await
    }
}

/// Until when a user is silenced; `None` when the user isn't.
///
/// # Errors
/// When it can't be read.
pub async fn silence_of(
    reader: impl Executor<'_, Database = Any>,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let until: Option<i64> = query_scalar("SELECT until FROM silence WHERE user_id = $1 AND until > $2")
        .bind(i64::from(user))
        .bind(now.0)
        .fetch_optional(reader)
        .await?;
    Ok(until.map(Timestamp))
}

/// The same as [`Silences::check`], where a transaction or snapshot reads.
///
/// # Errors
/// [`broker_schemas::Code::Forbidden`] when the user is silenced, with until when.
pub async fn check_not_silenced(
    reader: impl Executor<'_, Database = Any>,
    user: UserId,
    now: Timestamp,
) -> Result<()> {
    match silence_of(reader, user, now).await? {
        Some(until) => Err(silenced(until).into()),
        None => Ok(()),
    }
}

/// The refusal of somebody who is silenced.
#[must_use]
pub fn silenced(until: Timestamp) -> Error {
    Error::forbidden(format!("you can't write until {}: a moderator has muted you", moment(until)))
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::Failure;

    const MIGRATIONS: &[(i64, &str, &str)] =
        &[(1, "silences", SILENCE_TABLE), (2, "silences' versions", SILENCE_VERSION)];

    #[tokio::test]
    async fn a_silence_holds_for_its_user_alone_until_it_ends_or_is_lifted() {
        for test in crate::testing::databases("silence", MIGRATIONS).await {
            let user = |number| UserId::new(number).unwrap();
            let (now, database) = (Timestamp::now(), &test.database);
            let ends = Timestamp(now.0 + 60_000);
            let check = async |who, at| check_not_silenced(database.read(), user(who), at).await;
            let silences = Silences::new(database.clone());
            silences.set(user(1), Some(ends), 1).await.unwrap();
            assert!(silences.check(user(1)).await.is_err() && silences.check(user(2)).await.is_ok());
            let refused = check(1, now).await.unwrap_err();
            assert!(
                matches!(&refused, Failure::Refused(error) if error.code == Code::Forbidden),
                "{refused:?}"
            );
            assert!(check(2, now).await.is_ok(), "{}", test.name);
            assert!(check(1, ends).await.is_ok(), "{}: it has ended", test.name);
            silences.set(user(1), Some(Timestamp(i64::MAX)), 2).await.unwrap();
            assert!(check(1, ends).await.is_err(), "{}: a later one replaces it", test.name);
            silences.set(user(1), None, 3).await.unwrap();
            assert!(check(1, now).await.is_ok(), "{}", test.name);
            silences.set(user(1), Some(Timestamp(now.0 - 1)), 4).await.unwrap();
            assert!(check(1, now).await.is_ok(), "{}: one that has ended is none", test.name);
        }
    }

    #[tokio::test]
    async fn in_whatever_order_they_come_the_newest_holds_for_its_user() {
        const FAR: Option<Timestamp> = Some(Timestamp(i64::MAX));
        for test in crate::testing::databases("silence_versions", MIGRATIONS).await {
            let user = |number| UserId::new(number).unwrap();
            let silences = Silences::new(test.database.clone());
            silences.set(user(1), None, 7).await.unwrap();
            silences.set(user(1), FAR, 6).await.unwrap();
            assert!(silences.check(user(1)).await.is_ok(), "{}: lifted before it came", test.name);
            silences.set(user(2), FAR, 6).await.unwrap();
            assert!(silences.check(user(2)).await.is_err(), "{}: another's versions don't count", test.name);
            silences.set(user(1), FAR, 8).await.unwrap();
            for late in [7, 8] {
                silences.set(user(1), None, late).await.unwrap();
                assert!(silences.check(user(1)).await.is_err(), "{}: undone by {late}", test.name);
            }
        }
    }
}
