//! Who has which role.

use anyhow::anyhow;
use broker_schemas::caller::Role;
use broker_schemas::user::{PresenceChanged, STAFF_MAX, StaffMember};
use broker_schemas::{Error, UserId};
use natter_host::{Result, Transaction, placeholders};
use sqlx::{AssertSqlSafe, query, query_as, query_scalar};

use super::Store;
use super::bans::delete_sessions;

/// What became of taking a role.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Whether there was something to take; then the sessions ended.
    pub(crate) had_it: bool,
    pub(crate) presence: Vec<PresenceChanged>,
}

impl Store {
    /// Gives a user a role, who may have it already. Whether there is such a user.
    ///
    /// # Errors
    /// When as many users have one as may.
    pub(crate) async fn give_role(&self, user: UserId, role: Role) -> Result<bool> {
        let mut transaction = self.database.begin().await?;
        if !lock(&mut transaction, user).await? {
            return Ok(false);
        }
        let others: i64 = query_scalar("SELECT COUNT(DISTINCT account) FROM staff WHERE account <> $1")
            .bind(i64::from(user))
            .fetch_one(&mut *transaction)
            .await?;
        if others.cast_unsigned() >= STAFF_MAX as u64 {
            let message = format!("{others} users have a role already, which is the limit");
            return Err(Error::conflict(message).into());
        }
        query("INSERT INTO staff (account, role) VALUES ($1, $2) ON CONFLICT (account, role) DO NOTHING")
            .bind(i64::from(user))
            .bind(role.name())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes a role from a user, and ends the user's sessions if there was something to take. `None` when there is no such
    /// user.
    pub(crate) async fn take_role(&self, user: UserId, role: Role) -> Result<Option<Taken>> {
        let mut transaction = self.database.begin().await?;
        if !lock(&mut transaction, user).await? {
            return Ok(None);
        }
        let taken = query("DELETE FROM staff WHERE account = $1 AND role = $2")
            .bind(i64::from(user))
            .bind(role.name())
            .execute(&mut *transaction)
            .await?;
        let had_it = taken.rows_affected() == 1;
        let presence = match had_it {
            true => delete_sessions(&mut transaction, user).await?,
            false => Vec::new(),
        };
        transaction.commit().await?;
        Ok(Some(Taken { had_it, presence }))
    }

    /// Everyone with a role, by id.
    pub(crate) async fn staff(&self) -> Result<Vec<StaffMember>> {
        let rows: Vec<(i64, String, String)> = query_as(
            "SELECT account.id, account.name, staff.role FROM staff JOIN account ON account.id = staff.account \
             ORDER BY account.id, staff.role",
        )
        .fetch_all(self.database.read())
        .await?;
        let mut members: Vec<StaffMember> = Vec::new();
        for (id, name, role) in rows {
            let (user, role) = (UserId::try_from(id)?, self::role(&role)?);
            match members.last_mut().filter(|member| member.user == user) {
                Some(member) => member.roles.push(role),
                None => members.push(StaffMember { user, name, roles: vec![role] }),
            }
        }
        Ok(members)
    }
}

/// The roles of users, each with its user.
pub(super) async fn roles(transaction: &mut Transaction, users: &[i64]) -> Result<Vec<(i64, Role)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT account, role FROM staff WHERE account IN ({}) ORDER BY role",
        placeholders(1, users.len())
    );
    let mut roles = query_as(AssertSqlSafe(sql)).persistent(users.len() == 1);
    for user in users {
        roles = roles.bind(*user);
    }
    let roles: Vec<(i64, String)> = roles.fetch_all(&mut **transaction).await?;
    roles.into_iter().map(|(user, name)| Ok((user, role(&name)?))).collect()
}

pub(super) fn role(name: &str) -> Result<Role> {
    let found = Role::ALL.into_iter().find(|role| role.name() == name);
    Ok(found.ok_or_else(|| anyhow!("the role {name} in the database"))?)
}

/// Locks the account of somebody who can sign in. Whether there is one.
async fn lock(transaction: &mut Transaction, user: UserId) -> Result<bool> {
    let locked = query("UPDATE account SET online = online WHERE id = $1 AND is_system = 0")
        .bind(i64::from(user))
        .execute(&mut **transaction)
        .await?;
    Ok(locked.rows_affected() == 1)
}
