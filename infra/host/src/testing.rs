//! For tests of modules: a module's tables in every database that there is, each test with its own. And for all that start
//! processes: ports, and signals.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use broker_schemas::admin::{Applies, Rule, RuleBook, Then};
use broker_schemas::{List, Text};
use tempfile::TempDir;

use crate::{Database, DatabaseSettings, Migration, RulesInForce};

/// Fresh tables, in one of the databases.
#[derive(Debug)]
pub struct TestDatabase {
    /// The tables.
    pub database: Database,
    /// Where they are, for who opens them once more.
    pub settings: DatabaseSettings,
    /// Which database, for messages of failed tests.
    pub name: &'static str,
    _directory: Option<TempDir>,
}

/// Fresh tables of `module` in SQLite, and in PostgreSQL when `NATTER_TEST_POSTGRES` holds the URL of a server, on which
/// a database is made for the test. That server is thrown away after the tests (`tests/tools/with-postgres.sh`), so
/// nothing is cleaned up here.
///
/// # Panics
/// When a database can't be had: a test that doesn't run must not look like one that passed.
#[allow(clippy::expect_used)]
pub async fn databases(
    module: &'static str,
    migrations: &[impl Copy + Into<Migration>],
) -> Vec<TestDatabase> {
    let directory = TempDir::new().expect("a temporary directory");
    let settings = at(format!("sqlite:{}", directory.path().display()));
    let database = open(&settings, module, migrations).await;
    let sqlite = TestDatabase { database, settings, name: "sqlite", _directory: Some(directory) };
    let mut databases = vec![sqlite];
    if let Ok(server) = std::env::var("NATTER_TEST_POSTGRES") {
        let settings = at(new_postgres(&server).await);
        let database = open(&settings, module, migrations).await;
        databases.push(TestDatabase { database, settings, name: "postgres", _directory: None });
    }
    databases
}

/// Whether a module's tables keep the rules that it was given, which whoever opens them next applies.
///
/// # Panics
/// When they don't.
#[allow(clippy::expect_used)]
pub async fn assert_rules_are_kept(module: &'static str, migrations: &[impl Copy + Into<Migration>]) {
    for test in databases(module, migrations).await {
        let rule = |applies, pattern, then| Rule {
            applies,
            pattern: Text::new(pattern).expect("a pattern"),
            then,
            words: Text::new("no adverts").expect("words"),
        };
        let rules = vec![
            rule(Applies::Names, "casino", Then::Refuse),
            rule(Applies::Texts, "casino", Then::Refuse),
            rule(Applies::Texts, r"cheap\s+watches", Then::Report),
        ];
        let book = RuleBook { version: 3, rules: List::new(rules).expect("a few rules") };
        let opened = async || RulesInForce::open(test.database.clone()).await.expect("a table of rules");
        opened().await.set(&book).await.expect("good rules");
        let rules = opened().await.current();
        assert!(rules.check_name("name", "Casino").is_err(), "{}", test.name);
        assert!(rules.check_text("text", "the CASINO").is_err(), "{}", test.name);
        assert_eq!(rules.check_text("text", "Cheap  watches"), Ok(Some("no adverts")), "{}", test.name);
        assert_eq!(rules.check_text("text", "watches"), Ok(None), "{}", test.name);
    }
}

fn at(url: String) -> DatabaseSettings {
    DatabaseSettings { url, ..DatabaseSettings::default() }
}

async fn open(
    settings: &DatabaseSettings,
    module: &'static str,
    migrations: &[impl Copy + Into<Migration>],
) -> Database {
    #[allow(clippy::expect_used)]
    Database::open(settings, module, migrations).await.expect("open the test's tables")
}

/// A new, empty database on the server at `url`, and its own URL.
///
/// # Panics
/// When it can't be made.
#[allow(clippy::expect_used)]
pub async fn new_postgres(url: &str) -> String {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    sqlx::any::install_default_drivers();
    let name = format!("natter_test_{:016x}", getrandom::u64().expect("randomness"));
    let mut connection = sqlx::AnyConnection::connect(url).await.expect("connect to NATTER_TEST_POSTGRES");
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("make the test's database");
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}

/// A free port of 127.0.0.1, another one each time. Nobody else takes it while nobody listens there: the system gives these to
/// nobody who didn't ask for them, and `natter up` chooses from 10,000 on.
///
/// # Panics
/// When there is none.
#[must_use]
#[allow(clippy::expect_used)]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that test at once look in different places.
    let from = 6_000 + u16::try_from(std::process::id() % 2_000).expect("it is less");
    let candidates =
        std::iter::repeat_with(|| from + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000).take(2_000);
    let mut free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a free port")
}

/// Sends a signal to a process that the test started, if it still runs. After `STOP`, waits until it stands still: on a
/// busy machine its threads go on for a moment.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    let started = Instant::now();
    while name == "STOP" && !stands_still(pid) && started.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether every thread of a process is stopped, or there is no such process.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['T', 't', 'Z', 'X']))
    })
}
