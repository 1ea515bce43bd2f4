//! Making a group.

use broker_schemas::group::{Admission, Change, Visible};
use broker_schemas::message::ChangeGroup;
use broker_schemas::{Error, GroupId, Timestamp, UserId};
use natter_host::{Result, Transaction, placeholders};
use sqlx::{AssertSqlSafe, query, query_scalar};

use super::columns::{admission_name, visible_name};
use super::forget::keep_from_departing;
use super::{CHUNK, Store, outbox};
use crate::Settings;

/// A group that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Founding<'a> {
    pub(crate) name: &'a str,
    pub(crate) admission: Admission,
    pub(crate) visible: Visible,
    pub(crate) owner: UserId,
    /// Others, each once.
    pub(crate) members: &'a [UserId],
    /// What is told of it.
    pub(crate) change: &'a Change,
    pub(crate) at: Timestamp,
}

impl Store {
    /// Makes a group, at version 1.
    ///
    /// # Errors
    /// When somebody is in as many groups as one may be, or has deleted the account.
    pub(crate) async fn found(&self, founding: &Founding<'_>, limits: &Settings) -> Result<GroupId> {
        let mut transaction = self.database.begin().await?;
        let &Founding { owner, members, at, .. } = founding;
        let everybody: Vec<_> = [owner].into_iter().chain(members.iter().copied()).collect();
        keep_from_departing(&mut transaction, &everybody).await?;
        for users in everybody.chunks(CHUNK) {
            check_room(&mut transaction, owner, users, limits.max_groups).await?;
        }
        let id: i64 = query_scalar("UPDATE counter SET last = last + 1 WHERE name = 'group' RETURNING last")
            .fetch_one(&mut *transaction)
            .await?;
        query(
            "INSERT INTO chat_group (id, name, admission, visible, version, members, created_at) \
             VALUES ($1, $2, $3, $4, 1, $5, $6)",
        )
        .bind(id)
        .bind(founding.name)
        .bind(admission_name(founding.admission))
        .bind(visible_name(founding.visible))
        .bind(i64::try_from(everybody.len()).unwrap_or(i64::MAX))
        .bind(at.0)
        .execute(&mut *transaction)
        .await?;
        for users in everybody.chunks(CHUNK) {
            add_members(&mut transaction, id, owner, users, at).await?;
        }
        let group = GroupId::try_from(id)?;
        let (change, visible) = (founding.change.clone(), founding.visible);
        let recorded = ChangeGroup { group, version: 1, by: owner, change, visible };
        outbox::record(&mut transaction, self.teller, &recorded).await?;
        transaction.commit().await?;
        Ok(group)
    }
}

/// # Errors
/// Names the first of `users` who can't be in one more group.
async fn check_room(transaction: &mut Transaction, owner: UserId, users: &[UserId], most: u32) -> Result<()> {
    let list = placeholders(2, users.len());
    let sql = format!(
        "SELECT user_id FROM member JOIN chat_group ON id = group_id \
         WHERE user_id IN ({list}) AND dissolved_at IS NULL GROUP BY user_id HAVING COUNT(*) >= $1 \
         ORDER BY user_id LIMIT 1"
    );
    if let Some(user) = first(transaction, &sql, i64::from(most), users).await? {
        let whose = if user == owner { "you are".to_owned() } else { format!("members: user {user} is") };
        return Err(Error::conflict(format!("{whose} in {most} groups already, which is the limit")).into());
    }
    let sql = format!("SELECT user_id FROM departed WHERE user_id > $1 AND user_id IN ({list}) LIMIT 1");
    match first(transaction, &sql, 0, users).await? {
        Some(user) => Err(Error::not_found(format!("members: user {user} has deleted the account")).into()),
        None => Ok(()),
    }
}

async fn first(
    transaction: &mut Transaction,
    sql: &str,
    number: i64,
    users: &[UserId],
) -> Result<Option<UserId>> {
    let mut first = query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(number).persistent(users.len() == 1);
    for user in users {
        first = first.bind(i64::from(*user));
    }
    let user = first.fetch_optional(&mut **transaction).await?;
    Ok(user.map(UserId::try_from).transpose()?)
}

async fn add_members(
    transaction: &mut Transaction,
    group: i64,
    owner: UserId,
    users: &[UserId],
    at: Timestamp,
) -> Result<()> {
    let row = |index: usize| format!("($1, ${}, ${}, $2)", 3 + 2 * index, 4 + 2 * index);
    let rows = (0..users.len()).map(row).collect::<Vec<_>>().join(", ");
    let sql = format!("INSERT INTO member (group_id, user_id, role, since) VALUES {rows}");
    let mut insert = query(AssertSqlSafe(sql)).bind(group).bind(at.0).persistent(users.len() == 1);
    for user in users {
        let role = if *user == owner { "owner" } else { "member" };
        insert = insert.bind(i64::from(*user)).bind(role);
    }
    insert.execute(&mut **transaction).await?;
    Ok(())
}
