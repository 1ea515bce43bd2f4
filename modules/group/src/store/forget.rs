//! Deleted users.

use broker_schemas::{GroupId, UserId};
use natter_host::Result;
use sqlx::{query, query_scalar};

use super::Store;

impl Store {
    /// Notes that a user is gone: from now on nobody makes them a member of a group.
    pub(crate) async fn depart(&self, user: UserId) -> Result<()> {
        query("INSERT INTO departed (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING")
            .bind(i64::from(user))
            .execute(self.database.write())
            .await?;
        Ok(())
    }

    /// Up to `limit` groups that `user` is in, dissolved ones too.
    pub(crate) async fn memberships(&self, user: UserId, limit: u32) -> Result<Vec<GroupId>> {
        let groups: Vec<i64> =
            query_scalar("SELECT group_id FROM member WHERE user_id = $1 ORDER BY group_id LIMIT $2")
                .bind(i64::from(user))
                .bind(i64::from(limit))
                .fetch_all(self.database.read())
                .await?;
        groups.into_iter().map(|group| Ok(group.try_into()?)).collect()
    }

    /// Forgets up to `limit` groups that `user` asks to join or is kept out of; returns how many those were.
    pub(crate) async fn forget_outsider(&self, user: UserId, limit: u32) -> Result<u64> {
        const SQL: &str = "
            DELETE FROM outsider WHERE user_id = $1 AND group_id IN
                (SELECT group_id FROM outsider WHERE user_id = $1 ORDER BY group_id LIMIT $2)";
        let forgotten =
            query(SQL).bind(i64::from(user)).bind(i64::from(limit)).execute(self.database.write()).await?;
        Ok(forgotten.rows_affected())
    }

    /// Forgets the groups that `user` left while muted.
    pub(crate) async fn forget_mutes(&self, user: UserId) -> Result<()> {
        query("DELETE FROM kept_mute WHERE user_id = $1")
            .bind(i64::from(user))
            .execute(self.database.write())
            .await?;
        Ok(())
    }
}
