//! The tables, and every SQL text of this module.

mod announcements;
mod audit;
mod campaigns;
mod mutes;
mod reports;
mod rules;
#[cfg(test)]
pub(crate) mod tests;

use natter_host::{Database, Migration, Result, Transaction};
use sqlx::{AnyConnection, query_scalar};

pub(crate) use announcements::Changed;
pub(crate) use audit::Filter;
pub(crate) use campaigns::{Leased, NewCampaign, Stored};
pub(crate) use reports::Taken;

/// What [`Database::open`] applies.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration::both(1, "admin", include_str!("../migrations/0001_admin.sql")),
    Migration {
        version: 2,
        name: "audit",
        sqlite: include_str!("../migrations/0002_audit.sqlite.sql"),
        postgres: include_str!("../migrations/0002_audit.postgres.sql"),
    },
    Migration::both(3, "mutes", include_str!("../migrations/0003_mutes.sql")),
];

/// This module's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    async fn begin(&self) -> Result<Transaction> {
        self.database.begin().await
    }
}

/// The next id of a kind. Who has taken one keeps others from taking the next until the transaction ends.
async fn next_id(connection: &mut AnyConnection, of: &str) -> Result<i64> {
    let id = query_scalar("UPDATE counter SET last = last + 1 WHERE name = $1 RETURNING last")
        .bind(of)
        .fetch_one(connection)
        .await?;
    Ok(id)
}

/// A page's `before` or `after` as a number that no id passes.
fn bound(id: Option<u64>, open: i64) -> i64 {
    id.map_or(open, to_i64)
}

/// What is larger than any number in the database is equal to none.
fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
