//! The tables, and every SQL text of this module.
//!
//! Whoever changes a group, or who is in it, locks its row first (`locked`), and no transaction locks two groups. So
//! what a rule sees holds until its change is stored, and versions have no gaps.

mod columns;
mod create;
mod forget;
mod locked;
mod outbox;
#[cfg(test)]
pub(crate) mod tests;

use broker_schemas::rights::Role;
use broker_schemas::{GroupId, Timestamp, UserId};
use natter_host::rules::RULES_TABLE;
use natter_host::silence::{SILENCE_TABLE, SILENCE_VERSION};
use natter_host::{Database, Result};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row, query, query_as, query_scalar};
use uuid::Uuid;

pub(crate) use create::Founding;
pub(crate) use locked::Locked;
pub(crate) use outbox::{Head, Untold};

use crate::group::{Being, Group, Membership};

/// What [`Database::open`] applies.
pub(crate) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "groups", include_str!("../migrations/0001_groups.sql")),
    (2, "rules", RULES_TABLE),
    (10, "kept mutes", include_str!("../migrations/0010_kept_mutes.sql")),
    (11, "silences", SILENCE_TABLE),
    (12, "tellers", include_str!("../migrations/0012_tellers.sql")),
    (13, "silences' versions", SILENCE_VERSION),
];

/// The most entries of one kind in one answer, so that it fits into a message of the bus.
pub(crate) const LISTED: u32 = 1_000;
/// How many rows one statement names; both databases take more.
const CHUNK: usize = 1_000;

/// A group's row, as [`columns::group`] reads it.
const GROUP: &str = "id, name, admission, visible, version, members, muted_until, announcement, announced_by, \
                     announced_at, passed_on_by, passed_on_to, dissolved_at";
/// What a user is to a group, as [`columns::being`] reads it.
const BEING: &str = "
    SELECT role AS kind, muted_until, since FROM member WHERE group_id = $1 AND user_id = $2
    UNION ALL SELECT kind, NULL, since FROM outsider WHERE group_id = $1 AND user_id = $2";

/// This module's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
    /// By this the outbox knows this copy of the module from others, also from the one that ran here before.
    teller: i64,
}

/// What somebody outside a group waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outsider {
    Asking,
    Blocked,
}

/// Another user, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) user: UserId,
    pub(crate) since: Timestamp,
}

/// A group in the list of one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) group: GroupId,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) members: u32,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        let teller = Uuid::new_v4().as_u64_pair().0.cast_signed();
        Self { database, teller }
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// A group, as it is now.
    pub(crate) async fn group(&self, group: GroupId) -> Result<Option<Group>> {
        let row = query(AssertSqlSafe(format!("SELECT {GROUP} FROM chat_group WHERE id = $1")))
            .bind(i64::from(group))
            .fetch_optional(self.database.read())
            .await?;
        row.as_ref().map(columns::group).transpose()
    }

    /// What `user` is to a group now.
    pub(crate) async fn being(&self, group: GroupId, user: UserId) -> Result<Being> {
        let row = query(BEING)
            .bind(i64::from(group))
            .bind(i64::from(user))
            .fetch_optional(self.database.read())
            .await?;
        columns::being(row.as_ref())
    }

    /// The groups that `user` is in and that weren't dissolved, at most [`LISTED`].
    pub(crate) async fn groups_of(&self, user: UserId) -> Result<Vec<Listed>> {
        const SQL: &str = "
            SELECT id, name, role, members FROM member JOIN chat_group ON id = group_id
            WHERE user_id = $1 AND dissolved_at IS NULL ORDER BY id LIMIT $2";
        let rows =
            query(SQL).bind(i64::from(user)).bind(i64::from(LISTED)).fetch_all(self.database.read()).await?;
        let listed = |row: &AnyRow| {
            Ok(Listed {
                group: row.try_get::<i64, _>("id")?.try_into()?,
                name: row.try_get("name")?,
                role: columns::role(row.try_get("role")?)?,
                members: columns::count(row.try_get("members")?)?,
            })
        };
        rows.iter().map(listed).collect()
    }

    /// Up to `limit` members after `after`, by user id.
    pub(crate) async fn members(
        &self,
        group: GroupId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<(UserId, Membership)>> {
        const SQL: &str = "
            SELECT user_id, role, muted_until, since FROM member
            WHERE group_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3";
        let rows = query_as(SQL)
            .bind(i64::from(group))
            .bind(after.map_or(0, i64::from))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        let member = |(user, role, muted_until, since): (i64, String, Option<i64>, i64)| {
            Ok((user.try_into()?, columns::membership(&role, muted_until, since)?))
        };
        rows.into_iter().map(member).collect()
    }

    /// How many members there are after `after`.
    pub(crate) async fn count_members(&self, group: GroupId, after: Option<UserId>) -> Result<u64> {
        const SQL: &str = "SELECT COUNT(*) FROM member WHERE group_id = $1 AND user_id > $2";
        let count: i64 = query_scalar(SQL)
            .bind(i64::from(group))
            .bind(after.map_or(0, i64::from))
            .fetch_one(self.database.read())
            .await?;
        Ok(columns::count(count)?.into())
    }

    /// The owner and the administrators.
    pub(crate) async fn administrators(&self, group: GroupId) -> Result<Vec<UserId>> {
        const SQL: &str = "SELECT user_id FROM member WHERE group_id = $1 AND role <> 'member'";
        let users: Vec<i64> =
            query_scalar(SQL).bind(i64::from(group)).fetch_all(self.database.read()).await?;
        users.into_iter().map(|user| Ok(user.try_into()?)).collect()
    }

    /// Those outside a group who are `kind`, the oldest first; at most [`LISTED`].
    pub(crate) async fn outsiders(&self, group: GroupId, kind: Outsider) -> Result<Vec<Entry>> {
        const SQL: &str = "
            SELECT user_id, since FROM outsider WHERE group_id = $1 AND kind = $2
            ORDER BY since, user_id LIMIT $3";
        let rows: Vec<(i64, i64)> = query_as(SQL)
            .bind(i64::from(group))
            .bind(kind.name())
            .bind(i64::from(LISTED))
            .fetch_all(self.database.read())
            .await?;
        rows.into_iter()
            .map(|(user, since)| Ok(Entry { user: user.try_into()?, since: Timestamp(since) }))
            .collect()
    }
}
