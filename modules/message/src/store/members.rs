//! Who is in which conversation.

use std::collections::{BTreeSet, HashMap};

use broker_schemas::message::{Membership, Present, Reader, Standing};
use broker_schemas::{Conversation, GroupId, UserId};
use natter_host::Transaction;
use sqlx::{AssertSqlSafe, Row};

use super::rows::{NOTHING, SEAT, conversation, member, number, padded, placeholders, seat, user};
use super::{Result, Store};
use crate::access::{Member, Seat};

impl Store {
    /// A conversation as one of its members sees it; `None` for everyone else.
    pub(crate) async fn seat(&self, user: UserId, which: Conversation) -> Result<Option<Seat>> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {SEAT} FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 AND b.conversation = $2"
        )))
        .bind(i64::from(user))
        .bind(which.to_string())
        .fetch_optional(self.database.read())
        .await?;
        row.as_ref().map(seat).transpose()
    }

    /// Those of these users, each in a conversation, who are members of it.
    pub(crate) async fn members(
        transaction: &mut Transaction,
        users: &BTreeSet<(UserId, Conversation)>,
    ) -> Result<HashMap<(UserId, Conversation), Member>> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT user_id, conversation, role, first_seq, read_seq, since, muted_until FROM member \
             WHERE (user_id, conversation) IN (VALUES {})",
            placeholders(rows, 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (user, conversation) in users {
            query = query.bind(i64::from(*user)).bind(conversation.to_string());
        }
        for _ in users.len()..rows {
            query = query.bind(0_i64).bind(NOTHING);
        }
        let rows = query.fetch_all(&mut **transaction).await?;
        rows.iter().map(|row| Ok(((user(row, 0)?, conversation(row, 1)?), member(row, 2)?))).collect()
    }

    /// Where a user stands in each conversation, the one with the newest message first; at most `limit`.
    pub(crate) async fn standings(&self, user: UserId, limit: usize) -> Result<Vec<Standing>> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {SEAT} FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 ORDER BY c.last_at DESC, c.id LIMIT $2"
        )))
        .bind(i64::from(user))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.database.read())
        .await?;
        rows.iter().map(|row| Ok(seat(row)?.standing())).collect()
    }

    /// The members of a conversation who have read up to `seq` at least.
    pub(crate) async fn readers(&self, which: Conversation, seq: u64) -> Result<Vec<Reader>> {
        let rows = sqlx::query(
            "SELECT user_id, read_seq FROM member WHERE conversation = $1 AND read_seq >= $2 ORDER BY user_id",
        )
        .bind(which.to_string())
        .bind(seq.cast_signed())
        .fetch_all(self.database.read())
        .await?;
        rows.iter().map(|row| Ok(Reader { user: user(row, 0)?, seq: number(row, 1)? })).collect()
    }

    /// Whether a conversation has more than `most` members.
    pub(crate) async fn has_more_members(&self, which: Conversation, most: u32) -> Result<bool> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM member WHERE conversation = $1 LIMIT $2) AS some",
        )
        .bind(which.to_string())
        .bind(i64::from(most) + 1)
        .fetch_one(self.database.read())
        .await?;
        Ok(row.try_get::<i64, _>(0)? > i64::from(most))
    }

    /// The groups that a user is in; at most `limit`.
    pub(crate) async fn groups_of(&self, user: UserId, limit: usize) -> Result<Vec<Membership>> {
        let rows = sqlx::query(
            "SELECT b.conversation, c.gate_version, b.since FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 AND b.conversation LIKE 'g%' ORDER BY c.last_at DESC, c.id LIMIT $2",
        )
        .bind(i64::from(user))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.database.read())
        .await?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(group) = conversation(row, 0)?.group_id() {
                groups.push(Membership { group, version: number(row, 1)?, since: number(row, 2)? });
            }
        }
        Ok(groups)
    }

    /// Which of these users are in a group. One statement, so that the version and the members belong together.
    pub(crate) async fn present(&self, group: GroupId, users: &[UserId]) -> Result<Present> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT c.gate_version, b.user_id, b.since FROM conversation c LEFT JOIN member b \
             ON b.conversation = c.id AND b.user_id IN (VALUES {}) WHERE c.id = ${}",
            placeholders(rows, 1),
            rows + 1,
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for user in users {
            query = query.bind(i64::from(*user));
        }
        for _ in users.len()..rows {
            query = query.bind(0_i64);
        }
        let rows = query.bind(Conversation::group(group).to_string()).fetch_all(self.database.read()).await?;
        let mut present = Present { version: 0, members: Vec::new() };
        for row in &rows {
            present.version = number(row, 0)?;
            if row.try_get::<Option<i64>, _>(1)?.is_some() {
                present.members.push((user(row, 1)?, number(row, 2)?));
            }
        }
        present.members.sort_unstable();
        Ok(present)
    }
}
