//! The platform's own account.

use broker_schemas::{Timestamp, UserId};
use natter_host::Result;
use sqlx::{query, query_as};

use super::{Store, next_id};
use crate::name::RESERVED;

impl Store {
    /// The platform's own account, made when it is missing, with this display name. `None` when a user has its name, who
    /// registered before it was reserved.
    pub(crate) async fn system_account(&self, display_name: &str) -> Result<Option<UserId>> {
        let mut found = self.find_system_account().await?;
        if found.is_none() {
            self.make_system_account(display_name).await?;
            // Another copy may have been faster.
            found = self.find_system_account().await?;
        }
        let Some((id, 1, shown)) = found else { return Ok(None) };
        if shown != display_name {
            query("UPDATE account SET display_name = $1 WHERE id = $2")
                .bind(display_name)
                .bind(id)
                .execute(self.database.write())
                .await?;
        }
        Ok(Some(id.try_into()?))
    }

    /// The platform's own account, if it was made.
    pub(crate) async fn known_system_account(&self) -> Result<Option<UserId>> {
        let found = self.find_system_account().await?.filter(|(_, is_system, _)| *is_system == 1);
        Ok(found.map(|(id, ..)| id.try_into()).transpose()?)
    }

    /// The id, whether it is the platform's own, and the display name of the account with the reserved name.
    async fn find_system_account(&self) -> Result<Option<(i64, i64, String)>> {
        let found = query_as("SELECT id, is_system, display_name FROM account WHERE name_key = $1")
            .bind(RESERVED)
            .fetch_optional(self.database.read())
            .await?;
        Ok(found)
    }

    async fn make_system_account(&self, display_name: &str) -> Result<()> {
        let mut transaction = self.database.begin().await?;
        let id = next_id(&mut transaction, "account").await?;
        // It has no password, and `credentials` doesn't find it.
        query(
            "INSERT INTO account \
             (id, name, name_key, display_name, password, online, created_at, last_seen_at, is_system) \
             VALUES ($1, $2, $2, $3, '', 0, $4, $4, 1) ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(id)
        .bind(RESERVED)
        .bind(display_name)
        .bind(Timestamp::now().0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
