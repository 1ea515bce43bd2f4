//! A module's own tables, in SQLite or PostgreSQL, through one set of SQL texts.
//!
//! What both databases understand is written once: `$1` placeholders, `BIGINT`, `TEXT`, `INSERT … ON CONFLICT`,
//! `RETURNING`, row values. SQLite has one writer at a time, so writes go through a pool of one connection; with
//! PostgreSQL both pools are the same. What they don't both understand, a module writes twice, and asks for the
//! [`Dialect`].

mod servers;

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrationType, Migrator};
use sqlx::{Any, AnyPool, AssertSqlSafe, Connection, Executor, SqlSafeStr};
use tokio::task::JoinSet;

use crate::{DatabaseSettings, Failure, Result};
use servers::Servers;

/// An open transaction.
pub type Transaction = sqlx::Transaction<'static, Any>;

/// How long a call waits for a free connection before it is refused as `unavailable`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a process waits, when it starts, for a database that isn't up yet.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Which SQL a database speaks, where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// What the database of this transaction speaks.
    #[must_use]
    pub fn of(transaction: &Transaction) -> Self {
        match transaction.backend_name() {
            "PostgreSQL" => Self::Postgres,
            _ => Self::Sqlite,
        }
    }
}

/// A step that brings a module's tables from one release to the next. A tuple `(version, name, SQL)` is one whose SQL
/// both databases understand.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Counts the steps of a module from 1.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// Its SQL for SQLite.
    pub sqlite: &'static str,
    /// Its SQL for PostgreSQL.
    pub postgres: &'static str,
}

impl From<(i64, &'static str, &'static str)> for Migration {
    fn from((version, name, sql): (i64, &'static str, &'static str)) -> Self {
        Self::both(version, name, sql)
    }
}

impl Migration {
    /// One whose SQL both databases understand, among others whose SQL they don't.
    #[must_use]
    pub const fn both(version: i64, name: &'static str, sql: &'static str) -> Self {
        Self { version, name, sqlite: sql, postgres: sql }
    }
}

/// `$3, $4, $5`, for a list of values in a statement.
#[must_use]
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// One module's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    read: AnyPool,
    write: AnyPool,
    dialect: Dialect,
    /// What keeps the pool at the primary of several servers; ends with the last clone.
    _following: Arc<JoinSet<()>>,
}

impl Database {
    /// Opens the tables of `module` and applies those of its `migrations` that are missing.
    ///
    /// With SQLite the tables are a file of their own, `<directory>/<module>.db`; with PostgreSQL a schema of their
    /// own, `natter_<module>`.
    ///
    /// # Errors
    /// When the database can't be reached within 30 seconds, a URL of several hosts has no primary among them, or a
    /// migration fails.
    pub async fn open(
        settings: &DatabaseSettings,
        module: &'static str,
        migrations: &[impl Copy + Into<Migration>],
    ) -> anyhow::Result<Self> {
        install_default_drivers();
        let database = match settings.url.strip_prefix("sqlite:") {
            Some(directory) => Self::sqlite(settings, directory, module).await?,
            None => Self::postgres(settings, module).await?,
        };
        let migrations = migrations
            .iter()
            .map(|&migration| {
                let Migration { version, name, sqlite, postgres } = migration.into();
                let sql = match database.dialect {
                    Dialect::Sqlite => sqlite,
                    Dialect::Postgres => postgres,
                };
                let (name, sql) = (name.into(), sql.into_sql_str());
                sqlx::migrate::Migration::new(version, name, MigrationType::Simple, sql, false)
            })
            .collect();
        let _alone = match settings.url.strip_prefix("sqlite:") {
            Some(directory) => Some(migrate_alone(Path::new(directory), module).await?),
            None => None,
        };
        Migrator::with_migrations(migrations)
            .run(&database.write)
            .await
            .with_context(|| format!("migrate the tables of {module}"))?;
        Ok(database)
    }

    async fn sqlite(settings: &DatabaseSettings, directory: &str, module: &str) -> anyhow::Result<Self> {
        let directory = Path::new(directory);
        // Messages and password hashes are nobody else's to read.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("make {}", directory.display()))?;
        let file = directory.join(format!("{module}.db"));
        let url = format!("sqlite:{}?mode=rwc", file.display());
        // FULL: an answered write survives a power failure. A busy file is another copy of the module: wait for it. Half a
        // MiB of pages for each connection, for the system caches the file, once for all of them.
        const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
                               PRAGMA cache_size = -512";
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // A file doesn't go away, and the question costs as much as a short query.
                .test_before_acquire(false)
                .after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(PRAGMAS).await.map(drop) })
                })
                // When the disk is full, SQLite ends the transaction by itself. sqlx then fails to roll it back, goes on
                // counting it as open, and could never begin another one on this connection.
                .before_acquire(|connection, _| {
                    let is_good = !connection.is_in_transaction();
                    Box::pin(async move { Ok(is_good) })
                })
        };
        let open = || format!("open {}", file.display());
        let write = pool(1).connect(&url).await.with_context(open)?;
        let read = pool(settings.connections).connect(&url).await.with_context(open)?;
        Ok(Self { read, write, dialect: Dialect::Sqlite, _following: Arc::default() })
    }

    async fn postgres(settings: &DatabaseSettings, module: &str) -> anyhow::Result<Self> {
        let schema = format!("natter_{module}");
        // A copy that freezes, or is cut off, in the middle of a transaction holds its locks; the others would wait for it.
        // Two copies that start at once would both try to make the schema, and one would fail. All of it is one transaction,
        // so the lock is gone at its end.
        let prepare = format!(
            "SET client_min_messages TO warning; \
             DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('{schema}')); END $$; \
             CREATE SCHEMA IF NOT EXISTS {schema}; \
             SET search_path TO {schema}; SET synchronous_commit TO on; \
             SET idle_in_transaction_session_timeout TO '3s'"
        );
        let servers = Servers::of(&settings.url)?;
        let asked = servers.timeline();
        let (connected_to, used) = (servers.clone(), servers.clone());
        let options = AnyPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                let (prepare, servers) = (prepare.clone(), connected_to.clone());
                Box::pin(async move {
                    // Nothing is read from a standby either: it may lack what was just acked.
                    let timeline: String = sqlx::query_scalar(asked).fetch_one(&mut *connection).await?;
                    servers
                        .check_primary(&timeline)
                        .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
                    connection.execute(AssertSqlSafe(prepare)).await.map(drop)
                })
            })
            // A former primary that hangs may come back, and still take itself for one.
            .before_acquire(move |_, of| {
                let is_good = !used.are_past(of.age);
                Box::pin(async move { Ok(is_good) })
            });
        let started = tokio::time::Instant::now();
        let pool = loop {
            let connected = async {
                let primary = servers.primary().await?;
                anyhow::Ok(options.clone().connect_with(primary).await?)
            };
            let error = match connected.await {
                Ok(pool) => break pool,
                Err(error) => error,
            };
            if started.elapsed() >= START_PATIENCE {
                return Err(error).context("connect to the database");
            }
            tracing::warn!(error = format!("{error:#}"), module, "database not reachable yet");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let mut following = JoinSet::new();
        if servers.are_several() {
            following.spawn(servers.follow_primary(pool.clone()));
        }
        Ok(Self {
            read: pool.clone(),
            write: pool,
            dialect: Dialect::Postgres,
            _following: Arc::new(following),
        })
    }

    /// Where to read.
    #[must_use]
    pub const fn read(&self) -> &AnyPool {
        &self.read
    }

    /// Where to write with a single statement.
    #[must_use]
    pub const fn write(&self) -> &AnyPool {
        &self.write
    }

    /// Which SQL it speaks, where the two databases differ.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What ends a `SELECT` whose rows nobody else may change before the transaction is over. With SQLite the transaction
    /// itself sees to that.
    #[must_use]
    pub const fn for_update(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        }
    }

    /// What ends a `SELECT` whose rows nobody else may delete before the transaction is over, though they may change columns
    /// that aren't keys. With SQLite the transaction itself sees to that.
    #[must_use]
    pub const fn for_key_share(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR KEY SHARE",
        }
    }

    /// Begins a transaction that may write. With SQLite it is the only one.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when no connection is free within 2 s, or the database is away.
    pub async fn begin(&self) -> Result<Transaction> {
        let begin = match self.dialect {
            // Without `IMMEDIATE` it would fail when it first writes, if another copy wrote since it first read.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.write.begin_with(begin).await.map_err(not_begun)
    }

    /// Begins to read: everything that is read in this transaction is as of one moment, however many statements it takes.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn snapshot(&self) -> Result<Transaction> {
        let begin = match self.dialect {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.read.begin_with(begin).await.map_err(not_begun)
    }

    /// How many bytes the module's tables and indexes take.
    ///
    /// # Errors
    /// When no connection is free within 2 s, or the database is away.
    pub async fn size(&self) -> std::result::Result<u64, sqlx::Error> {
        let sql = match self.dialect {
            Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            Dialect::Postgres => {
                "SELECT CAST(COALESCE(SUM(pg_total_relation_size(oid)), 0) AS BIGINT) FROM pg_class
                 WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relkind = 'r'"
            }
        };
        let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&self.read).await?;
        Ok(bytes.unsigned_abs())
    }

    /// Closes every connection, after what runs on them.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Keeps copies that start at once from migrating at once. With PostgreSQL sqlx does so by itself.
async fn migrate_alone(directory: &Path, module: &str) -> anyhow::Result<File> {
    let path = directory.join(format!("{module}.db-migrate"));
    let lock = || {
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(TryLockError::Error)?;
        file.try_lock().map(|()| file)
    };
    let started = tokio::time::Instant::now();
    loop {
        match lock() {
            Ok(file) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < START_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error).with_context(|| format!("lock {}", path.display())),
        }
    }
}

/// Whatever kept a transaction from beginning, nothing was done.
fn not_begun(error: sqlx::Error) -> Failure {
    match Failure::from(error) {
        Failure::Broken(cause) => {
            tracing::warn!(error = format!("{cause:#}"), "no transaction begun");
            Failure::database_away()
        }
        refused @ Failure::Refused(_) => refused,
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn copies_that_start_at_once_migrate_once() {
        const MIGRATIONS: &[(i64, &str, &str)] = &[
            (1, "make", "CREATE TABLE t (text TEXT NOT NULL)"),
            (2, "add", "ALTER TABLE t ADD COLUMN number BIGINT"),
            (3, "add more", "ALTER TABLE t ADD COLUMN more BIGINT"),
        ];
        let directory = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings {
            url: format!("sqlite:{}", directory.path().display()),
            ..DatabaseSettings::default()
        };
        let open = || Database::open(&settings, "test", MIGRATIONS);
        let opened = futures_util::future::join_all((0..6).map(|_| open())).await;
        for database in opened {
            database.unwrap().close().await;
        }
    }

    #[tokio::test]
    async fn a_database_that_holds_more_is_larger() {
        const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "t", "CREATE TABLE t (text TEXT NOT NULL)")];
        for test in crate::testing::databases("test", MIGRATIONS).await {
            let before = test.database.size().await.unwrap();
            for _ in 0..100 {
                // Of what repeats itself, PostgreSQL would store less.
                let text: String = (0..4_096).map(|_| format!("{:x}", getrandom::u32().unwrap())).collect();
                sqlx::query("INSERT INTO t (text) VALUES ($1)")
                    .bind(text)
                    .execute(test.database.write())
                    .await
                    .unwrap();
            }
            let after = test.database.size().await.unwrap();
            assert!(after > before + 1024 * 1024, "{}: {before}, then {after}", test.name);
        }
    }

    #[tokio::test]
    async fn what_could_not_even_begin_was_not_done_and_says_so() {
        const MIGRATIONS: &[(i64, &str, &str)] = &[];
        let directory = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings {
            url: format!("sqlite:{}", directory.path().display()),
            ..DatabaseSettings::default()
        };
        let database = Database::open(&settings, "test", MIGRATIONS).await.unwrap();
        let other = Database::open(&settings, "test", MIGRATIONS).await.unwrap();
        let _writing = other.begin().await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 10").execute(database.write()).await.unwrap();
        match database.begin().await {
            Err(Failure::Refused(error)) => assert_eq!(error.code, Code::Unavailable),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn after_a_full_disk_writing_goes_on_once_there_is_room() {
        const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "t", "CREATE TABLE t (text TEXT NOT NULL)")];
        let directory = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings {
            url: format!("sqlite:{}", directory.path().display()),
            ..DatabaseSettings::default()
        };
        let database = Database::open(&settings, "test", MIGRATIONS).await.unwrap();
        let insert = async |length: usize| {
            let mut transaction = database.begin().await.unwrap();
            let text = "x".repeat(length);
            sqlx::query("INSERT INTO t (text) VALUES ($1)").bind(text).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        insert(10).await.unwrap();
        // A disk that has room again by the time of the next connection.
        sqlx::query("PRAGMA max_page_count = 20").execute(database.write()).await.unwrap();
        let error = insert(1024 * 1024).await.unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        insert(1024 * 1024).await.unwrap();
        let rows: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(database.read()).await.unwrap();
        assert_eq!(rows, 2);
    }
}
