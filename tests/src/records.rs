//! What stands in the modules' own tables.

use std::fmt::Write as _;

use broker_schemas::{Timestamp, UserId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

use crate::Platform;

/// A module's tables.
#[derive(Debug)]
pub struct Records(AnyConnection);

impl Records {
    /// Opens those of a module.
    pub async fn of(platform: &Platform, module: &str) -> Self {
        sqlx::any::install_default_drivers();
        let Some(directory) = platform.database().strip_prefix("sqlite:") else {
            let mut connection = AnyConnection::connect(platform.database()).await.unwrap();
            let path = AssertSqlSafe(format!("SET search_path TO natter_{module}"));
            sqlx::query(path).execute(&mut connection).await.unwrap();
            return Self(connection);
        };
        let mut connection =
            AnyConnection::connect(&format!("sqlite:{directory}/{module}.db")).await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// The numbers of the only row.
    pub async fn numbers(&mut self, sql: &str) -> Vec<i64> {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.0).await.unwrap();
        (0..row.len()).map(|column| row.get(column)).collect()
    }

    /// Every row, its columns as texts; an absent value is an empty one.
    pub async fn texts(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await.unwrap();
        let text = |row: &AnyRow, column| row.get::<Option<String>, _>(column).unwrap_or_default();
        rows.iter().map(|row| (0..row.len()).map(|column| text(row, column)).collect()).collect()
    }

    /// Does something.
    ///
    /// # Errors
    /// When the database refuses to.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await?.rows_affected())
    }
}

/// Makes `count` accounts, faster than they could sign up: `crowd1`, `crowd2`, … They have the password of `like`. Returns the
/// first one's id; the others follow.
///
/// # Panics
/// When that can't be done.
pub async fn make_accounts(platform: &Platform, count: u64, like: UserId) -> UserId {
    const AT_ONCE: u64 = 500;
    let mut records = Records::of(platform, "user").await;
    let taken = format!("UPDATE counter SET last = last + {count} WHERE name = 'account' RETURNING last");
    let last = records.numbers(&taken).await[0];
    let first = last - i64::try_from(count).unwrap() + 1;
    let now = Timestamp::now().0;
    for start in (0..count).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let mut values = String::new();
        for number in start..count.min(start + AT_ONCE) {
            let id = first + i64::try_from(number).unwrap();
            let comma = if values.is_empty() { "" } else { "," };
            let name = format!("crowd{}", number + 1);
            write!(values, "{comma}({id},'{name}')").unwrap();
        }
        let sql = format!(
            "WITH new (id, name) AS (VALUES {values}) \
             INSERT INTO account (id, name, name_key, display_name, password, online, created_at, last_seen_at) \
             SELECT new.id, new.name, new.name, new.name, account.password, 0, {now}, {now} \
             FROM new, account WHERE account.id = {like}"
        );
        records.execute(&sql).await.unwrap();
    }
    UserId::try_from(first).unwrap()
}
