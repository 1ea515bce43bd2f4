//! All SQL of the module: one text for SQLite and PostgreSQL, except where [`search`] says so.
//!
//! Whoever changes a conversation locks its row first ([`places`]), several in the order of their ids. So two copies of the
//! module wait for each other at that row and not in a circle, and what is read after it holds until the end of the
//! transaction. Read cursors alone ([`cursors`]) don't take that lock; a circle through them is broken by the database, and
//! [`crate::retry`] tries again.

mod campaigns;
mod cursors;
mod gates;
mod groups;
mod list;
mod members;
mod messages;
mod places;
mod reactions;
mod rewrite;
mod rows;
mod search;
mod silences;

use natter_host::rules::RULES_TABLE;
use natter_host::silence::SILENCE_VERSION;
use natter_host::{Database, Dialect, Failure, Migration, Transaction};
use sqlx::AnyPool;

pub(crate) use list::Listed;
pub(crate) use messages::{Changes, Range};
pub(crate) use places::Places;
pub(crate) use rewrite::Target;
pub(crate) use search::Hits;

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration::both(1, "conversations", include_str!("../migrations/0001_conversations.sql")),
    Migration::both(2, "groups", include_str!("../migrations/0002_groups.sql")),
    Migration {
        version: 3,
        name: "search",
        sqlite: include_str!("../migrations/0003_search.sqlite.sql"),
        postgres: include_str!("../migrations/0003_search.postgres.sql"),
    },
    Migration::both(4, "administration", include_str!("../migrations/0004_administration.sql")),
    Migration::both(5, "rules", RULES_TABLE),
    Migration::both(10, "kept mutes", include_str!("../migrations/0010_kept_mutes.sql")),
    Migration::both(11, "silences' versions", SILENCE_VERSION),
];

type Result<T> = std::result::Result<T, Failure>;

/// The module's tables.
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

    pub(crate) async fn begin(&self) -> Result<Transaction> {
        self.database.begin().await
    }

    /// Begins to read as of one moment. A message, its reactions and its revision belong together, and so do all that a sync
    /// answers.
    pub(crate) async fn snapshot(&self) -> Result<Transaction> {
        self.database.snapshot().await
    }

    /// Where one statement reads.
    pub(crate) const fn reader(&self) -> &AnyPool {
        self.database.read()
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.database.dialect()
    }
}
