//! The module's tables, and every statement on them.
//!
//! Locks are taken in one order, `counter`, `edge`, `account`, `session` or `staff`, so that transactions wait for each other
//! but never in a circle, and several accounts by their ids. Thousands sign in at once when an edge died: nothing that all of them need is locked exclusively.
//! Whoever changes an account's sessions locks the account first: so whether it is online is
//! decided by one transaction after the other.

mod bans;
mod edges;
mod found;
mod guesses;
mod ids;
mod resumes;
mod sessions;
mod staff;
mod system;
#[cfg(test)]
pub(crate) mod tests;

use broker_schemas::user::{PresenceChanged, Profile};
use broker_schemas::{SessionId, Timestamp, UserId};
use natter_host::rules::RULES_TABLE;
use natter_host::silence::{SILENCE_TABLE, SILENCE_VERSION};
use natter_host::{Database, Result, Transaction, placeholders};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row, query, query_as, query_scalar};
use tokio::sync::Semaphore;

pub(crate) use edges::Edge;
pub(crate) use resumes::Resumption;
pub(crate) use sessions::{NewSession, OpenSession};

use crate::guessing::Origin;

/// Every migration: its number, its name, its SQL.
pub(crate) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("../migrations/0001_accounts.sql")),
    (2, "administration", include_str!("../migrations/0002_administration.sql")),
    (3, "rules", RULES_TABLE),
    (4, "silences", SILENCE_TABLE),
    (5, "silences' versions", SILENCE_VERSION),
    (6, "guessing", include_str!("../migrations/0006_guessing.sql")),
];

/// How many rows one statement names; both databases take more.
const CHUNK: usize = 1_024;

/// How many transactions open sessions at once; further ones wait before they take a connection. So the reports of edges
/// get one in time however many people sign in, and no edge counts as silent because they do.
const OPENING: usize = 4;

/// The module's tables.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
    session_ids: ids::Reserved,
    opening: Semaphore,
}

/// What is needed to check a password.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) user: UserId,
    /// A PHC string.
    pub(crate) password: String,
    /// Whether the owner signed in from here before.
    pub(crate) origin_is_known: bool,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        let session_ids = ids::Reserved::of("session");
        Self { database, session_ids, opening: Semaphore::new(OPENING) }
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Makes an account; `None` when the name is taken.
    pub(crate) async fn create_account(
        &self,
        name: &str,
        display_name: &str,
        password: &str,
    ) -> Result<Option<UserId>> {
        let mut transaction = self.database.begin().await?;
        let id = next_id(&mut transaction, "account").await?;
        let inserted = query(
            "INSERT INTO account (id, name, name_key, display_name, password, online, created_at, last_seen_at) \
             VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
        )
        .bind(id)
        .bind(name)
        .bind(crate::name::key(name))
        .bind(display_name)
        .bind(password)
        .bind(Timestamp::now().0)
        .execute(&mut *transaction)
        .await;
        match inserted {
            Ok(_) => transaction.commit().await?,
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(UserId::try_from(id)?))
    }

    /// Whether an account has this name.
    pub(crate) async fn is_taken(&self, name_key: &str) -> Result<bool> {
        let count: i64 = query_scalar("SELECT COUNT(*) FROM account WHERE name_key = $1")
            .bind(name_key)
            .fetch_one(self.database.read())
            .await?;
        Ok(count > 0)
    }

    /// What is needed to sign in to the account with this name.
    pub(crate) async fn credentials(&self, name_key: &str, origin: &Origin) -> Result<Option<Credentials>> {
        let found: Option<(i64, String, i64)> = query_as(
            "SELECT id, password, (SELECT COUNT(*) FROM known_address \
             WHERE known_address.account = account.id AND address = $2) \
             FROM account WHERE name_key = $1 AND is_system = 0",
        )
        .bind(name_key)
        .bind(origin.as_str())
        .fetch_optional(self.database.read())
        .await?;
        let Some((user, password, known)) = found else { return Ok(None) };
        Ok(Some(Credentials { user: user.try_into()?, password, origin_is_known: known > 0 }))
    }

    /// The name and the PHC string of a user.
    pub(crate) async fn name_and_password(&self, user: UserId) -> Result<Option<(String, String)>> {
        let found = query_as("SELECT name, password FROM account WHERE id = $1")
            .bind(i64::from(user))
            .fetch_optional(self.database.read())
            .await?;
        Ok(found)
    }

    /// Sets the name that others see; `false` when the account is gone.
    pub(crate) async fn set_display_name(&self, user: UserId, display_name: &str) -> Result<bool> {
        let done = query("UPDATE account SET display_name = $1 WHERE id = $2")
            .bind(display_name)
            .bind(i64::from(user))
            .execute(self.database.write())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The profile of the user with this name.
    pub(crate) async fn find(&self, name_key: &str) -> Result<Option<Profile>> {
        let row = query("SELECT id, name, display_name, online FROM account WHERE name_key = $1")
            .bind(name_key)
            .fetch_optional(self.database.read())
            .await?;
        row.as_ref().map(profile).transpose()
    }

    /// The profiles of those users that exist.
    pub(crate) async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>> {
        let mut profiles = Vec::with_capacity(users.len());
        for users in users.chunks(CHUNK) {
            // A statement is prepared once per length of its list: powers of two keep the lengths few.
            let length = users.len().next_power_of_two();
            let list = placeholders(1, length);
            let sql = format!("SELECT id, name, display_name, online FROM account WHERE id IN ({list})");
            let mut lookup = query(AssertSqlSafe(sql));
            for index in 0..length {
                // The last one again, until the list is full: it is found once all the same.
                lookup = lookup.bind(i64::from(users[index.min(users.len() - 1)]));
            }
            for row in lookup.fetch_all(self.database.read()).await? {
                profiles.push(profile(&row)?);
            }
        }
        Ok(profiles)
    }

    /// Sets a new password in place of `old`, a PHC string, and ends every session but `keep`. `None` when the account
    /// is gone, or another change came first.
    pub(crate) async fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<PresenceChanged>>> {
        let mut transaction = self.database.begin().await?;
        // Locks the account: a sign-in with the old password is either seen below, or sees the new password.
        let changed = query("UPDATE account SET password = $1 WHERE id = $2 AND password = $3")
            .bind(new)
            .bind(i64::from(user))
            .bind(old)
            .execute(&mut *transaction)
            .await?;
        if changed.rows_affected() == 0 {
            return Ok(None);
        }
        query("DELETE FROM session WHERE account = $1 AND id <> $2")
            .bind(i64::from(user))
            .bind(i64::from(keep))
            .execute(&mut *transaction)
            .await?;
        let presence = settle(&mut transaction, &[user.into()]).await?;
        transaction.commit().await?;
        Ok(Some(presence))
    }

    /// Deletes an account that still has this password, a PHC string, with its sessions, and remembers that the other
    /// services must learn of it. `None` when there is no such account any more, else whether it was online.
    pub(crate) async fn delete_account(&self, user: UserId, password: &str) -> Result<Option<bool>> {
        let mut transaction = self.database.begin().await?;
        let deleted: Option<i64> =
            query_scalar("DELETE FROM account WHERE id = $1 AND password = $2 RETURNING online")
                .bind(i64::from(user))
                .bind(password)
                .fetch_optional(&mut *transaction)
                .await?;
        let Some(online) = deleted else { return Ok(None) };
        query("INSERT INTO departure (account) VALUES ($1)")
            .bind(i64::from(user))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(online != 0))
    }

    /// Some of the deleted accounts of which another service may still have to learn.
    pub(crate) async fn departures(&self) -> Result<Vec<UserId>> {
        let users: Vec<i64> = query_scalar("SELECT account FROM departure ORDER BY account LIMIT 100")
            .fetch_all(self.database.read())
            .await?;
        Ok(users.into_iter().map(UserId::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// Every other service has learnt that `user` is gone.
    pub(crate) async fn departed(&self, user: UserId) -> Result<()> {
        query("DELETE FROM departure WHERE account = $1")
            .bind(i64::from(user))
            .execute(self.database.write())
            .await?;
        Ok(())
    }
}

/// The next id of a kind. The transaction has it alone until it ends.
async fn next_id(transaction: &mut Transaction, kind: &str) -> Result<i64> {
    let id = query_scalar("UPDATE counter SET last = last + 1 WHERE name = $1 RETURNING last")
        .bind(kind)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(id)
}

/// Decides anew whether accounts are online, after their sessions changed, and says for which the answer changed: they are
/// seen now. The transaction must have locked them before it changed their sessions.
async fn settle(transaction: &mut Transaction, users: &[i64]) -> Result<Vec<PresenceChanged>> {
    let (mut changes, now) = (Vec::new(), Timestamp::now().0);
    for users in users.chunks(CHUNK) {
        let sql = format!(
            "UPDATE account SET online = 1 - online, last_seen_at = $1 WHERE id IN ({}) AND online <> \
             CASE WHEN EXISTS \
             (SELECT 1 FROM session WHERE session.account = account.id AND session.edge IS NOT NULL) \
             THEN 1 ELSE 0 END RETURNING id, online",
            placeholders(2, users.len())
        );
        let update = query_as::<_, (i64, i64)>(AssertSqlSafe(sql)).persistent(users.len() == 1);
        let mut update = update.bind(now);
        for user in users {
            update = update.bind(*user);
        }
        for (user, online) in update.fetch_all(&mut **transaction).await? {
            changes.push(PresenceChanged { user: user.try_into()?, online: online != 0 });
        }
    }
    Ok(changes)
}

fn profile(row: &AnyRow) -> Result<Profile> {
    Ok(Profile {
        user: row.try_get::<i64, _>("id")?.try_into()?,
        name: row.try_get("name")?,
        display_name: row.try_get("display_name")?,
        online: row.try_get::<i64, _>("online")? != 0,
    })
}
