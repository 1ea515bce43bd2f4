//! A group that nobody else changes, and what can be done to it then.

use broker_schemas::group::Change;
use broker_schemas::message::ChangeGroup;
use broker_schemas::rights::Role;
use broker_schemas::{GroupId, Timestamp, UserId};
use natter_host::{Result, Transaction};
use sqlx::{AssertSqlSafe, query, query_scalar};

use super::columns::{self, admission_name, role_name, visible_name};
use super::forget::keep_from_departing;
use super::{BEING, GROUP, Outsider, Store, outbox};
use crate::group::{Being, Group};

/// A group that nobody else changes until this is stored or dropped; dropped, it stays as it was.
pub(crate) struct Locked {
    pub(super) transaction: Transaction,
    /// Who tells what is changed.
    teller: i64,
    /// Stored with [`Locked::store`]: set what is to change.
    pub(crate) group: Group,
}

impl Store {
    /// Locks a group. For [`Store::authorise`](crate::authorise), which decides who may do what with it.
    pub(crate) async fn lock(&self, group: GroupId) -> Result<Option<Locked>> {
        let mut transaction = self.database.begin().await?;
        let sql = format!("UPDATE chat_group SET version = version WHERE id = $1 RETURNING {GROUP}");
        let row = query(AssertSqlSafe(sql)).bind(i64::from(group)).fetch_optional(&mut *transaction).await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return Ok(None);
        };
        Ok(Some(Locked { group: columns::group(&row)?, transaction, teller: self.teller }))
    }
}

impl Locked {
    /// What `user` is to the group.
    pub(crate) async fn being(&mut self, user: UserId) -> Result<Being> {
        let row = query(BEING)
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .fetch_optional(&mut *self.transaction)
            .await?;
        columns::being(row.as_ref())
    }

    /// Whose the group is; nobody's once it was dissolved because its last member was gone.
    pub(crate) async fn owner(&mut self) -> Result<Option<UserId>> {
        let owner: Option<i64> =
            query_scalar("SELECT user_id FROM member WHERE group_id = $1 AND role = 'owner'")
                .bind(i64::from(self.group.id))
                .fetch_optional(&mut *self.transaction)
                .await?;
        Ok(owner.map(UserId::try_from).transpose()?)
    }

    /// How many groups `user` is in that weren't dissolved. Not locked: others can change it meanwhile.
    pub(crate) async fn groups_of(&mut self, user: UserId) -> Result<u32> {
        const SQL: &str = "
            SELECT COUNT(*) FROM member JOIN chat_group ON id = group_id
            WHERE user_id = $1 AND dissolved_at IS NULL";
        let count = query_scalar(SQL).bind(i64::from(user)).fetch_one(&mut *self.transaction).await?;
        columns::count(count)
    }

    /// Whether the account of `user` was deleted. If it wasn't, it is not before this is stored or dropped.
    pub(crate) async fn has_departed(&mut self, user: UserId) -> Result<bool> {
        keep_from_departing(&mut self.transaction, &[user]).await?;
        let count: i64 = query_scalar("SELECT COUNT(*) FROM departed WHERE user_id = $1")
            .bind(i64::from(user))
            .fetch_one(&mut *self.transaction)
            .await?;
        Ok(count > 0)
    }

    /// Makes `user`, who isn't one, a plain member, who then no longer asks to be. Whoever left while muted still is.
    pub(crate) async fn add_member(&mut self, user: UserId, now: Timestamp) -> Result<()> {
        self.remove_outsider(user, Outsider::Asking).await?;
        const INSERT: &str = "
            INSERT INTO member (group_id, user_id, role, since, muted_until) VALUES ($1, $2, 'member', $3,
                (SELECT muted_until FROM kept_mute WHERE group_id = $1 AND user_id = $2))";
        query(INSERT)
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .bind(now.0)
            .execute(&mut *self.transaction)
            .await?;
        query("DELETE FROM kept_mute WHERE group_id = $1 AND user_id = $2")
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .execute(&mut *self.transaction)
            .await?;
        self.group.members += 1;
        Ok(())
    }

    /// Takes a member out, and keeps in mind until when they are muted.
    pub(crate) async fn remove_member(&mut self, user: UserId) -> Result<()> {
        const KEEP: &str = "
            INSERT INTO kept_mute (group_id, user_id, muted_until)
            SELECT group_id, user_id, muted_until FROM member
            WHERE group_id = $1 AND user_id = $2 AND muted_until > $3
            ON CONFLICT (group_id, user_id) DO UPDATE SET muted_until = excluded.muted_until";
        let now = Timestamp::now();
        query("DELETE FROM kept_mute WHERE group_id = $1 AND muted_until <= $2")
            .bind(i64::from(self.group.id))
            .bind(now.0)
            .execute(&mut *self.transaction)
            .await?;
        // Nobody comes back to a group that was dissolved.
        if self.group.dissolved_at.is_none() {
            query(KEEP)
                .bind(i64::from(self.group.id))
                .bind(i64::from(user))
                .bind(now.0)
                .execute(&mut *self.transaction)
                .await?;
        }
        let removed = query("DELETE FROM member WHERE group_id = $1 AND user_id = $2")
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .execute(&mut *self.transaction)
            .await?;
        let removed = u32::try_from(removed.rows_affected()).unwrap_or(u32::MAX);
        self.group.members = self.group.members.saturating_sub(removed);
        Ok(())
    }

    /// Gives a member another role; whoever is more than a plain member isn't muted. A group has one owner at most: make
    /// the one before something else first.
    pub(crate) async fn set_role(&mut self, user: UserId, role: Role) -> Result<()> {
        const SQL: &str = "
            UPDATE member SET role = $3, muted_until = CASE WHEN $3 = 'member' THEN muted_until ELSE NULL END
            WHERE group_id = $1 AND user_id = $2";
        query(SQL)
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .bind(role_name(role))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Sets until when a member alone can't write.
    pub(crate) async fn set_mute(&mut self, user: UserId, until: Option<Timestamp>) -> Result<()> {
        query("UPDATE member SET muted_until = $3 WHERE group_id = $1 AND user_id = $2")
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .bind(until.map(|until| until.0))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// How many outside the group are `kind`.
    pub(crate) async fn count(&mut self, kind: Outsider) -> Result<u32> {
        let count = query_scalar("SELECT COUNT(*) FROM outsider WHERE group_id = $1 AND kind = $2")
            .bind(i64::from(self.group.id))
            .bind(kind.name())
            .fetch_one(&mut *self.transaction)
            .await?;
        columns::count(count)
    }

    /// Makes `user`, who is no member, `kind`, whatever they were before.
    pub(crate) async fn add_outsider(&mut self, user: UserId, kind: Outsider, now: Timestamp) -> Result<()> {
        const SQL: &str = "
            INSERT INTO outsider (group_id, user_id, kind, since) VALUES ($1, $2, $3, $4)
            ON CONFLICT (group_id, user_id) DO UPDATE SET kind = excluded.kind, since = excluded.since";
        query(SQL)
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .bind(kind.name())
            .bind(now.0)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Makes `user` a stranger, if they were `kind`.
    pub(crate) async fn remove_outsider(&mut self, user: UserId, kind: Outsider) -> Result<()> {
        query("DELETE FROM outsider WHERE group_id = $1 AND user_id = $2 AND kind = $3")
            .bind(i64::from(self.group.id))
            .bind(i64::from(user))
            .bind(kind.name())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Forgets who asks to join, who is kept out, and who left while muted.
    pub(crate) async fn remove_outsiders(&mut self) -> Result<()> {
        for sql in ["DELETE FROM outsider WHERE group_id = $1", "DELETE FROM kept_mute WHERE group_id = $1"] {
            query(sql).bind(i64::from(self.group.id)).execute(&mut *self.transaction).await?;
        }
        Ok(())
    }

    /// Who becomes the owner when the owner is gone: the administrator who has been a member for longest, else the
    /// member who has.
    pub(crate) async fn successor(&mut self) -> Result<Option<UserId>> {
        const SQL: &str = "
            SELECT user_id FROM member WHERE group_id = $1 AND role <> 'owner'
            ORDER BY CASE role WHEN 'administrator' THEN 0 ELSE 1 END, since, user_id LIMIT 1";
        let user: Option<i64> =
            query_scalar(SQL).bind(i64::from(self.group.id)).fetch_optional(&mut *self.transaction).await?;
        Ok(user.map(UserId::try_from).transpose()?)
    }

    /// Counts a change, and writes down that the message module has to learn of it.
    pub(crate) async fn record(&mut self, by: UserId, change: &Change) -> Result<()> {
        self.group.version += 1;
        let Group { id: group, version, visible, .. } = self.group;
        let recorded = ChangeGroup { group, version, by, change: change.clone(), visible };
        outbox::record(&mut self.transaction, self.teller, &recorded).await
    }

    /// Stores everything for good; returns the group's version.
    pub(crate) async fn store(mut self) -> Result<u64> {
        const SQL: &str = "
            UPDATE chat_group SET
                name = $2, admission = $3, visible = $4, version = $5, members = $6, muted_until = $7,
                announcement = $8, announced_by = $9, announced_at = $10, passed_on_by = $11, passed_on_to = $12,
                dissolved_at = $13
            WHERE id = $1";
        let group = &self.group;
        let announcement = group.announcement.as_ref();
        query(SQL)
            .bind(i64::from(group.id))
            .bind(group.name.as_str())
            .bind(admission_name(group.admission))
            .bind(visible_name(group.visible))
            .bind(group.version.cast_signed())
            .bind(i64::from(group.members))
            .bind(group.muted_until.map(|until| until.0))
            .bind(announcement.map(|announcement| announcement.text.as_str()))
            .bind(announcement.map(|announcement| i64::from(announcement.by)))
            .bind(announcement.map(|announcement| announcement.at.0))
            .bind(group.passed_on.map(|(by, _)| i64::from(by)))
            .bind(group.passed_on.map(|(_, to)| i64::from(to)))
            .bind(group.dissolved_at.map(|at| at.0))
            .execute(&mut *self.transaction)
            .await?;
        self.transaction.commit().await?;
        Ok(group.version)
    }

    /// Leaves everything as it was.
    pub(crate) async fn release(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }
}
