//! A group's changes, inside the transaction that holds the lock of its conversation.

use broker_schemas::rights::Role;
use broker_schemas::{Conversation, Timestamp, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::AssertSqlSafe;

use super::rows::{bound_users, listing, padded, placeholders, role_number};
use super::{Result, Store};

impl Store {
    /// Makes a group's conversation, at version 0. A collision if another copy makes it at the same time.
    pub(crate) async fn make_group(transaction: &mut Transaction, which: Conversation) -> Result<()> {
        sqlx::query(
            "INSERT INTO conversation (id, last_seq, last_at, open, gate_version) VALUES ($1, 0, 0, 1, 0)",
        )
        .bind(which.to_string())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Says up to where the messages of a locked group go now, and which of its versions this is.
    pub(crate) async fn set_version(
        transaction: &mut Transaction,
        which: Conversation,
        version: u64,
        last_seq: u64,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query("UPDATE conversation SET gate_version = $2, last_seq = $3, last_at = $4 WHERE id = $1")
            .bind(which.to_string())
            .bind(version.cast_signed())
            .bind(last_seq.cast_signed())
            .bind(now.0)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    pub(crate) async fn close_group(transaction: &mut Transaction, which: Conversation) -> Result<()> {
        for sql in [
            "UPDATE conversation SET open = 0 WHERE id = $1",
            "DELETE FROM kept_mute WHERE conversation = $1",
        ] {
            sqlx::query(sql).bind(which.to_string()).execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Makes users members, as of version `since`, who have read everything before `unread_from`.
    pub(crate) async fn add_members(
        transaction: &mut Transaction,
        which: Conversation,
        users: &[UserId],
        first_seq: u64,
        unread_from: u64,
        since: u64,
    ) -> Result<()> {
        let rows = padded(users.len());
        let sql = format!(
            "INSERT INTO member (user_id, conversation, read_seq, first_seq, since) \
             SELECT column1, ${}, ${}, ${}, ${} FROM (VALUES {}) AS b WHERE column1 <> 0 \
             ON CONFLICT (user_id, conversation) DO NOTHING",
            rows + 1,
            rows + 2,
            rows + 3,
            rows + 4,
            placeholders(Dialect::of(transaction), rows, 1),
        );
        let query = bound_users(listing(sql, rows), users, rows);
        query
            .bind(which.to_string())
            .bind(unread_from.saturating_sub(1).cast_signed())
            .bind(first_seq.cast_signed())
            .bind(since.cast_signed())
            .execute(&mut **transaction)
            .await?;
        Self::mute_again(transaction, which).await
    }

    /// Mutes those members again who left while muted.
    async fn mute_again(transaction: &mut Transaction, which: Conversation) -> Result<()> {
        const MUTE: &str = "
            UPDATE member SET muted_until = (SELECT k.muted_until FROM kept_mute k
                WHERE k.conversation = member.conversation AND k.user_id = member.user_id)
            WHERE conversation = $1 AND user_id IN (SELECT k.user_id FROM kept_mute k WHERE k.conversation = $1)";
        const FORGET: &str = "
            DELETE FROM kept_mute WHERE conversation = $1 AND EXISTS (SELECT 1 FROM member b
                WHERE b.conversation = kept_mute.conversation AND b.user_id = kept_mute.user_id)";
        for sql in [MUTE, FORGET] {
            sqlx::query(sql).bind(which.to_string()).execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Takes a member out, and keeps in mind until when they are muted, as far as that matters after `now`.
    pub(crate) async fn remove_member(
        transaction: &mut Transaction,
        which: Conversation,
        user: UserId,
        now: Timestamp,
    ) -> Result<()> {
        const KEEP: &str = "
            INSERT INTO kept_mute (conversation, user_id, muted_until)
            SELECT b.conversation, b.user_id, b.muted_until FROM member b JOIN conversation c ON c.id = b.conversation
            WHERE b.conversation = $1 AND b.user_id = $2 AND b.muted_until > $3 AND c.open = 1
            ON CONFLICT (conversation, user_id) DO UPDATE SET muted_until = excluded.muted_until";
        sqlx::query("DELETE FROM kept_mute WHERE conversation = $1 AND muted_until <= $2")
            .bind(which.to_string())
            .bind(now.0)
            .execute(&mut **transaction)
            .await?;
        sqlx::query(KEEP)
            .bind(which.to_string())
            .bind(i64::from(user))
            .bind(now.0)
            .execute(&mut **transaction)
            .await?;
        sqlx::query("DELETE FROM member WHERE user_id = $1 AND conversation = $2")
            .bind(i64::from(user))
            .bind(which.to_string())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Gives a member another role. Whoever is more than a plain member isn't muted.
    pub(crate) async fn set_role(
        transaction: &mut Transaction,
        which: Conversation,
        user: UserId,
        role: Role,
    ) -> Result<()> {
        let lift = if role == Role::Member { "" } else { ", muted_until = 0" };
        let sql = format!("UPDATE member SET role = $3{lift} WHERE user_id = $1 AND conversation = $2");
        sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(user))
            .bind(which.to_string())
            .bind(role_number(role))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Makes the owner an administrator.
    pub(crate) async fn depose_owner(transaction: &mut Transaction, which: Conversation) -> Result<()> {
        sqlx::query("UPDATE member SET role = $2 WHERE conversation = $1 AND role = $3")
            .bind(which.to_string())
            .bind(role_number(Role::Administrator))
            .bind(role_number(Role::Owner))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Keeps a member from writing until a moment, or every plain member.
    pub(crate) async fn set_mute(
        transaction: &mut Transaction,
        which: Conversation,
        user: Option<UserId>,
        until: Timestamp,
    ) -> Result<()> {
        let query = match user {
            Some(user) => {
                sqlx::query("UPDATE member SET muted_until = $2 WHERE conversation = $1 AND user_id = $3")
                    .bind(which.to_string())
                    .bind(until.0)
                    .bind(i64::from(user))
            }
            None => sqlx::query("UPDATE conversation SET muted_until = $2 WHERE id = $1")
                .bind(which.to_string())
                .bind(until.0),
        };
        query.execute(&mut **transaction).await?;
        Ok(())
    }
}
