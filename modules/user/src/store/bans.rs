//! Who is kept out, and ending sessions from outside.

use anyhow::Context;
use broker_schemas::user::PresenceChanged;
use broker_schemas::{Timestamp, UserId};
use natter_host::{Result, Transaction};
use sqlx::query;

use super::{Store, settle};
use crate::ban::Ban;

/// A ban's columns, `banned_until` and `ban_reason`; what holds for good holds until [`FOR_GOOD`].
pub(super) type Columns = (Option<i64>, Option<String>);

const FOR_GOOD: i64 = i64::MAX;

impl Store {
    /// Keeps a user out, in place of a ban that there is, and ends every session. `None` when there is no such user.
    pub(crate) async fn ban(&self, user: UserId, ban: &Ban) -> Result<Option<Vec<PresenceChanged>>> {
        let mut transaction = self.database.begin().await?;
        // Locks the account: a sign-in that is under way is either seen below, or sees the ban.
        let banned =
            query("UPDATE account SET banned_until = $1, ban_reason = $2 WHERE id = $3 AND is_system = 0")
                .bind(ban.until.map_or(FOR_GOOD, |until| until.0))
                .bind(ban.reason.as_str())
                .bind(i64::from(user))
                .execute(&mut *transaction)
                .await?;
        if banned.rows_affected() == 0 {
            return Ok(None);
        }
        let presence = delete_sessions(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Some(presence))
    }

    /// Lets a user in again. `None` when there is no such user.
    pub(crate) async fn lift_ban(&self, user: UserId) -> Result<Option<()>> {
        let lifted = query(
            "UPDATE account SET banned_until = NULL, ban_reason = NULL WHERE id = $1 AND is_system = 0",
        )
        .bind(i64::from(user))
        .execute(self.database.write())
        .await?;
        Ok((lifted.rows_affected() == 1).then_some(()))
    }

    /// Ends every session of a user. `None` when there is no such user.
    pub(crate) async fn end_sessions(&self, user: UserId) -> Result<Option<Vec<PresenceChanged>>> {
        let mut transaction = self.database.begin().await?;
        let locked = query("UPDATE account SET online = online WHERE id = $1 AND is_system = 0")
            .bind(i64::from(user))
            .execute(&mut *transaction)
            .await?;
        if locked.rows_affected() == 0 {
            return Ok(None);
        }
        let presence = delete_sessions(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Some(presence))
    }
}

/// Ends every session of a user, whose account is locked.
pub(super) async fn delete_sessions(
    transaction: &mut Transaction,
    user: UserId,
) -> Result<Vec<PresenceChanged>> {
    query("DELETE FROM session WHERE account = $1").bind(i64::from(user)).execute(&mut **transaction).await?;
    settle(transaction, &[user.into()]).await
}

/// The ban in an account's columns, if one holds.
pub(super) fn in_force((until, reason): Columns, now: Timestamp) -> Result<Option<Ban>> {
    let Some(until) = until else { return Ok(None) };
    let reason = reason.context("a ban without a reason in the database")?;
    let until = Some(until).filter(|until| *until != FOR_GOOD).map(Timestamp);
    Ok(Some(Ban { reason, until }).filter(|ban| ban.holds(now)))
}
