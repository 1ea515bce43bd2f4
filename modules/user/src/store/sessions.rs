//! Sessions: one row for each device that is signed in.

use anyhow::Context;
use broker_schemas::caller::Role;
use broker_schemas::user::PresenceChanged;
use broker_schemas::{EdgeId, SessionId, Timestamp, UserId};
use natter_host::{Result, Transaction};
use sqlx::{query, query_as};

use super::bans::in_force;
use super::staff::roles;
use super::{Store, settle};
use crate::guessing::Origin;
use crate::token::TokenHash;

/// How many addresses of an account's owner are remembered.
const KNOWN_ADDRESSES: i64 = 8;

/// A sign-in whose password was right.
#[derive(Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) user: UserId,
    /// The PHC string that the password was checked against.
    pub(crate) password: &'a str,
    pub(crate) device: &'a str,
    pub(crate) origin: &'a Origin,
    pub(crate) edge: Option<&'a EdgeId>,
    pub(crate) token: &'a TokenHash,
    pub(crate) expires_at: Timestamp,
    /// How many sessions the user may have.
    pub(crate) most: u32,
}

/// A session that was opened, or opened again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenSession {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) session: SessionId,
    /// What it was before it was resumed, if an edge may still hold that.
    pub(crate) moved_from: Option<SessionId>,
    /// Sessions that had to go for this one although they are attached to an edge.
    pub(crate) displaced: Vec<SessionId>,
    pub(crate) presence: Vec<PresenceChanged>,
}

impl Store {
    /// Opens a session; `None` when the account is gone or its password was changed meanwhile.
    ///
    /// # Errors
    /// The refusal of somebody who is banned.
    pub(crate) async fn open_session(&self, new: &NewSession<'_>) -> Result<Option<OpenSession>> {
        let id = self.session_ids.next(&self.database).await?;
        let _turn = self.opening.acquire().await.context("a turn to open a session")?;
        let mut transaction = self.database.begin().await?;
        self.hold_edge(&mut transaction, new.edge).await?;
        let now = Timestamp::now();
        let account: Option<(String, String, Option<i64>, Option<String>)> = query_as(
            "UPDATE account SET last_seen_at = $3 WHERE id = $1 AND password = $2 \
             RETURNING name, display_name, banned_until, ban_reason",
        )
        .bind(i64::from(new.user))
        .bind(new.password)
        .bind(now.0)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((name, display_name, banned_until, ban_reason)) = account else { return Ok(None) };
        if let Some(ban) = in_force((banned_until, ban_reason), now)? {
            return Err(ban.refusal().into());
        }
        let roles = roles(&mut transaction, &[new.user.into()]).await?;
        query(
            "INSERT INTO session (id, account, device, token, created_at, expires_at, edge, attached_in) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT last FROM counter WHERE name = 'round'))",
        )
        .bind(id)
        .bind(i64::from(new.user))
        .bind(new.device)
        .bind(new.token.as_str())
        .bind(now.0)
        .bind(new.expires_at.0)
        .bind(new.edge.map(EdgeId::as_str))
        .execute(&mut *transaction)
        .await?;
        remember_address(&mut transaction, new.user, new.origin).await?;
        let displaced = make_room(&mut transaction, new.user, id, new.most).await?;
        let presence = settle(&mut transaction, &[new.user.into()]).await?;
        transaction.commit().await?;
        let session = id.try_into()?;
        Ok(Some(OpenSession {
            user: new.user,
            name,
            display_name,
            roles: roles.into_iter().map(|(_, role)| role).collect(),
            session,
            moved_from: None,
            displaced,
            presence,
        }))
    }

    /// Ends a session, if it is still there.
    pub(crate) async fn close_session(
        &self,
        user: UserId,
        session: SessionId,
    ) -> Result<Vec<PresenceChanged>> {
        let mut transaction = self.database.begin().await?;
        lock(&mut transaction, user).await?;
        query("DELETE FROM session WHERE id = $1 AND account = $2")
            .bind(i64::from(session))
            .bind(i64::from(user))
            .execute(&mut *transaction)
            .await?;
        let presence = settle(&mut transaction, &[user.into()]).await?;
        transaction.commit().await?;
        Ok(presence)
    }

    /// Forgets sessions that nobody can open again. Those that are still attached go when their edge lets them go.
    pub(crate) async fn forget_expired_sessions(&self) -> Result<u64> {
        let forgotten = query("DELETE FROM session WHERE expires_at <= $1 AND edge IS NULL")
            .bind(Timestamp::now().0)
            .execute(self.database.write())
            .await?;
        Ok(forgotten.rows_affected())
    }
}

/// Makes the sessions of a user this transaction's own until it ends.
pub(super) async fn lock(transaction: &mut Transaction, user: UserId) -> Result<()> {
    query("UPDATE account SET online = online WHERE id = $1")
        .bind(i64::from(user))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn remember_address(transaction: &mut Transaction, user: UserId, origin: &Origin) -> Result<()> {
    query(
        "INSERT INTO known_address (account, address, seen_at) VALUES ($1, $2, $3) \
         ON CONFLICT (account, address) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(i64::from(user))
    .bind(origin.as_str())
    .bind(Timestamp::now().0)
    .execute(&mut **transaction)
    .await?;
    query(
        "DELETE FROM known_address WHERE account = $1 AND address NOT IN \
         (SELECT address FROM known_address WHERE account = $1 ORDER BY seen_at DESC, address LIMIT $2)",
    )
    .bind(i64::from(user))
    .bind(KNOWN_ADDRESSES)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends the sessions that are too many: of those that no edge holds, then of all, those that were opened or resumed longest ago. Returns those that an
/// edge holds.
async fn make_room(
    transaction: &mut Transaction,
    user: UserId,
    newest: i64,
    most: u32,
) -> Result<Vec<SessionId>> {
    let ended: Vec<(i64, Option<String>)> = query_as(
        "DELETE FROM session WHERE account = $1 AND id <> $2 AND id NOT IN (SELECT id FROM session \
         WHERE account = $1 AND id <> $2 \
         ORDER BY CASE WHEN edge IS NULL THEN 1 ELSE 0 END, expires_at DESC, id DESC LIMIT $3) \
         RETURNING id, edge",
    )
    .bind(i64::from(user))
    .bind(newest)
    .bind(i64::from(most.saturating_sub(1)))
    .fetch_all(&mut **transaction)
    .await?;
    let attached = ended.into_iter().filter(|(_, edge)| edge.is_some());
    Ok(attached.map(|(id, _)| SessionId::try_from(id)).collect::<std::result::Result<_, _>>()?)
}
