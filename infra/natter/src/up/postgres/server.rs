//! One of the servers: how it is made, run, and spoken to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, getuid, kill_process};
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::{DATABASE, NAME, USER, run, said};
use crate::up::data::Data;
use crate::up::recipe::{Ready, Recipe};

/// Where we find it, and whoever is on this machine.
const HERE: &str = "127.0.0.1";
const READY_WITHIN: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(100);
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// What the name of data ends with, before a number, in whose place newer ones were put away.
const OUTDATED: &str = "old";
/// Four of each module's copy, and one more where there is a standby; and room for a person.
const CONNECTIONS: u32 = 400;

/// One of the servers.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) programs: PathBuf,
    pub(super) data: PathBuf,
    pub(super) port: u16,
    /// Where the modules and the other server find it.
    pub(super) address: String,
    /// What its command line begins with, where it is on a host of its own.
    pub(super) enter: Vec<OsString>,
    pub(super) password: String,
    pub(super) password_file: PathBuf,
}

/// What its files say, whether it runs or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// Whether it was a primary, and ended in order.
    pub(super) shut_down: bool,
    /// Where its last checkpoint is in the log; of one that was shut down, nothing follows that.
    pub(super) checkpoint: String,
    /// How far a standby's data go at least; `0/0` of a primary.
    pub(super) reached: String,
}

impl Control {
    fn parse(said: &str) -> anyhow::Result<Self> {
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(str::trim).with_context(|| format!("pg_controldata doesn't say \"{name}\""))
        };
        Ok(Self {
            shut_down: value("Database cluster state")? == "shut down",
            checkpoint: value("Latest checkpoint location")?.to_owned(),
            reached: value("Minimum recovery ending location")?.to_owned(),
        })
    }
}

/// How far a standby is, as its primary sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Following {
    /// Whether commits wait for it.
    pub(super) synchronous: bool,
    /// Whether it has on disk all that the primary had when it was asked.
    pub(super) has_all: bool,
}

impl Server {
    /// Makes an empty database.
    pub(super) async fn make(&self, data: &Data) -> anyhow::Result<()> {
        // In a place where the server's user may read it, and only for the moment.
        let password = data.path().join("postgres.new");
        crate::up::write_private(&password, &self.password)?;
        let unfinished = self.unfinished().await?;
        self.give(&[&password]).await?;
        let (program, arguments) = self.as_its_user("initdb", &[]);
        let mut command = Command::new(program);
        command.args(arguments).args(["--username", USER, "--auth", "scram-sha-256", "--pwfile"]);
        command.arg(&password).args(["--encoding", "UTF8", "--locale", "C", "--pgdata"]).arg(&unfinished);
        let made = run(command.current_dir("/")).await;
        std::fs::remove_file(&password)?;
        made?;
        // As on the command line, or a server says at each reload that the two differ.
        let mut file = std::fs::OpenOptions::new().append(true).open(unfinished.join("postgresql.conf"))?;
        writeln!(file, "max_connections = {CONNECTIONS}")?;
        Ok(std::fs::rename(&unfinished, &self.data)?)
    }

    /// An empty directory for data that count only once they are whole, and have their name.
    async fn unfinished(&self) -> anyhow::Result<PathBuf> {
        let unfinished = self.data.with_added_extension("new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::DirBuilder::new().mode(0o700).create(&unfinished)?;
        self.give(&[&unfinished]).await?;
        Ok(unfinished)
    }

    /// Whether its data are those of a server that follows another. All others begin as primaries.
    pub(super) fn is_standby(&self) -> bool {
        self.data.join("standby.signal").exists()
    }

    /// Puts its data where no server finds them: one that was a primary once must never be one again by itself, and a
    /// standby that can't follow is copied anew. What it alone has, if anything, can be looked for there, until the next
    /// time.
    pub(super) fn fence(&self) -> anyhow::Result<()> {
        if !self.data.exists() {
            return Ok(());
        }
        let former = self.former();
        if former.exists() {
            // To remove it takes long, and whoever fences is in a hurry.
            let unused = (1..).map(|number| former.with_added_extension(format!("{OUTDATED}{number}")));
            let outdated = unused.into_iter().find(|path| !path.exists()).context("no name is left")?;
            std::fs::rename(&former, outdated).with_context(|| format!("put {} away", former.display()))?;
        }
        std::fs::rename(&self.data, &former).with_context(|| format!("put {} away", self.data.display()))
    }

    /// Removes what was put away before the last time.
    pub(super) async fn remove_outdated(&self) -> anyhow::Result<()> {
        let former = self.former();
        let removed = tokio::task::spawn_blocking(move || {
            let (Some(directory), Some(name)) = (former.parent(), former.file_name()) else { return Ok(()) };
            // Without newer ones in their place, they are the last.
            if !former.exists() {
                return Ok(());
            }
            let prefix = format!("{}.{OUTDATED}", name.to_string_lossy());
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    std::fs::remove_dir_all(entry.path())?;
                }
            }
            std::io::Result::Ok(())
        });
        removed.await?.with_context(|| format!("remove what {} had long ago", self.name))
    }

    fn former(&self) -> PathBuf {
        self.data.with_added_extension("former")
    }

    /// Waits until nothing runs on its data.
    pub(super) async fn unused(&self) {
        while !running_on(&self.data).is_empty() {
            sleep(ASK_EVERY).await;
        }
    }

    /// Ends what runs on data that were put away. A server that was killed leaves processes behind, which go on for a
    /// moment, or for long if they stood still.
    pub(super) async fn end_leftovers(&self) {
        loop {
            let left = running_on(&self.former());
            if left.is_empty() {
                return;
            }
            for process in left {
                let _ = kill_process(process, Signal::KILL);
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Takes a copy of what `primary` has, to follow it. Nothing may be where its data belong.
    pub(super) async fn copy_from(&self, primary: &Self) -> anyhow::Result<()> {
        let unfinished = self.unfinished().await?;
        let (program, arguments) = self.as_its_user("pg_basebackup", &["--pdeathsig", "KILL"]);
        // On a leash like the servers: what is written into that directory ends with `natter up`.
        let mut command = Command::new("/proc/self/exe");
        command.arg("leash").arg(std::process::id().to_string()).arg("--").arg(program).args(arguments);
        command.args(["-h", HERE, "-p", &primary.port.to_string(), "-U", USER, "--no-password"]);
        command.args(["--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf", "--pgdata"]);
        command.arg(&unfinished).env("PGPASSWORD", &self.password).env("LC_ALL", "C");
        run(command.current_dir("/")).await.context("pg_basebackup")?;
        Ok(std::fs::rename(&unfinished, &self.data)?)
    }

    /// Lets the hosts of the installation sign in, as its own machine may.
    pub(super) fn let_hosts_in(&self, subnet: Option<&str>) -> anyhow::Result<()> {
        let file = self.data.join("pg_hba.conf");
        let Some(subnet) = subnet.filter(|_| file.exists()) else { return Ok(()) };
        if !std::fs::read_to_string(&file)?.contains(subnet) {
            let mut file = std::fs::OpenOptions::new().append(true).open(&file)?;
            for what in ["all", "replication"] {
                writeln!(file, "host {what} {USER} {subnet} scram-sha-256")?;
            }
        }
        Ok(())
    }

    /// What runs it; `other` is whom it follows while it is a standby.
    pub(super) fn recipe(&self, other: Option<&Self>) -> Recipe {
        let (program, mut arguments) = self.as_its_user("postgres", &["--pdeathsig", "QUIT"]);
        arguments.extend(["-D".into(), self.data.clone().into(), "-p".into(), self.port.to_string().into()]);
        let elsewhere = if self.address == HERE { String::new() } else { format!(",{}", self.address) };
        let mut settings = vec![
            format!("listen_addresses={HERE}{elsewhere}"),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS}"),
        ];
        if let Some(other) = other {
            settings.extend([
                format!(
                    "primary_conninfo=host={} port={} user={USER} application_name={} passfile={}",
                    other.address,
                    other.port,
                    self.name,
                    self.password_file.display()
                ),
                // One that is gone, or hangs, is missed soon; what it lacks is kept for a while.
                "wal_sender_timeout=3s".to_owned(),
                "wal_receiver_timeout=3s".to_owned(),
                "wal_receiver_status_interval=1s".to_owned(),
                "wal_retrieve_retry_interval=200ms".to_owned(),
                "wal_keep_size=512MB".to_owned(),
            ]);
        }
        for setting in settings {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let address = format!("{HERE}:{}", self.port);
        Recipe {
            name: self.name.clone(),
            process: NAME.to_owned(),
            parts: Vec::new(),
            program,
            binary: self.programs.join("postgres"),
            arguments,
            configuration: None,
            ready: Ready::Postgres { address: address.clone(), status: self.data.join("postmaster.pid") },
            // A fast shutdown: it doesn't wait for those who are connected, but for its standby to have everything.
            stop_signal: Signal::INT,
            // Where there is a standby, that may take its place instead.
            comes_back: other.is_none(),
            is_watched: false,
            addresses: BTreeMap::from([("postgres".to_owned(), address)]),
        }
        .within(&self.enter)
    }

    /// Makes the database, once the server runs, unless it is there.
    pub(super) async fn ensure_database(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let mut command = Command::new(self.programs.join("createdb"));
            command.args(["-h", HERE, "-p", &self.port.to_string(), "-U", USER, DATABASE]);
            command.env("PGPASSWORD", &self.password).env("LC_ALL", "C").stdin(Stdio::null());
            let output = command.kill_on_drop(true).output().await.context("run createdb")?;
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() || said.contains("already exists") {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("createdb: {}", said.trim());
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// How far `standby` is; none while it doesn't follow this server.
    pub(super) async fn following(&self, standby: &Self) -> anyhow::Result<Option<Following>> {
        let row = self
            .ask(
                "SELECT sync_state IN ('sync', 'quorum'), flush_lsn >= pg_current_wal_flush_lsn()
                 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
                &[&standby.name],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let has_all: Option<bool> = row.try_get(1)?;
        Ok(Some(Following { synchronous: row.try_get(0)?, has_all: has_all == Some(true) }))
    }

    pub(super) async fn control(&self) -> anyhow::Result<Control> {
        let (program, arguments) = self.as_its_user("pg_controldata", &[]);
        let mut command = Command::new(program);
        command.args(arguments).arg(&self.data).env("LC_ALL", "C").current_dir("/");
        Control::parse(&said(&mut command).await.context("pg_controldata")?)
    }

    /// How far in the log a standby is that runs.
    pub(super) async fn position(&self) -> anyhow::Result<String> {
        // It has not received anything since it started, or not applied all that it received.
        let sql = "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0')::text";
        Ok(self.ask(sql, &[]).await?.context("no answer")?.try_get(0)?)
    }

    /// Whether a standby that runs has all that comes before a position in the log.
    pub(super) async fn has(&self, position: &str) -> anyhow::Result<bool> {
        let row = self.ask("SELECT $1::pg_lsn >= $2::pg_lsn", &[&self.position().await?, position]).await?;
        Ok(row.context("no answer")?.try_get(0)?)
    }

    /// Whether what this primary wrote doesn't go as far as one of `positions`.
    pub(super) async fn is_behind(&self, positions: [&str; 2]) -> anyhow::Result<bool> {
        let sql = "SELECT greatest($1::pg_lsn, $2::pg_lsn) > pg_current_wal_flush_lsn()";
        Ok(self.ask(sql, &positions).await?.context("no answer")?.try_get(0)?)
    }

    pub(super) async fn is_in_recovery(&self) -> anyhow::Result<bool> {
        let row = self.ask("SELECT pg_is_in_recovery()", &[]).await?.context("no answer")?;
        Ok(row.try_get(0)?)
    }

    /// Lets every commit wait for `standby`, or for nobody.
    pub(super) async fn wait_for(&self, standby: Option<&Self>) -> anyhow::Result<()> {
        let names = standby.map(|standby| format!("\"{}\"", standby.name)).unwrap_or_default();
        self.ask(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"), &[]).await?;
        self.ask("SELECT pg_reload_conf()", &[]).await.map(drop)
    }

    /// Makes it a primary.
    pub(super) async fn promote(&self) -> anyhow::Result<()> {
        if self.is_in_recovery().await? {
            self.ask("SELECT pg_promote(false)", &[]).await?;
        }
        let deadline = Instant::now() + READY_WITHIN;
        while self.is_in_recovery().await? {
            if Instant::now() > deadline {
                bail!("{} is no primary after {READY_WITHIN:?}", self.name);
            }
            sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    async fn ask(&self, sql: &str, values: &[&str]) -> anyhow::Result<Option<PgRow>> {
        let options = PgConnectOptions::new_without_pgpass()
            .host(HERE)
            .port(self.port)
            .username(USER)
            .password(&self.password)
            // Any database will do, and this one is always there.
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging();
        let asked = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
            for value in values {
                query = query.bind(value.to_owned());
            }
            let row = query.fetch_optional(&mut connection).await?;
            connection.close().await?;
            anyhow::Ok(row)
        };
        timeout(ANSWERS_WITHIN, asked).await.with_context(|| format!("{} doesn't answer", self.name))?
    }

    /// Where the servers read the password with which they follow each other: libpq wants a file of their own.
    pub(super) async fn write_password(&self) -> anyhow::Result<()> {
        let line = format!("*:*:*:{USER}:{}\n", self.password);
        crate::up::write_private(&self.password_file, &line)?;
        self.give(&[&self.password_file]).await
    }

    /// Makes files those of the server's user.
    async fn give(&self, files: &[&Path]) -> anyhow::Result<()> {
        if !getuid().is_root() {
            return Ok(());
        }
        run(Command::new("chown").arg("postgres").args(files)).await
    }

    /// PostgreSQL refuses to run as root. Becoming another user undoes the leash, hence `options`.
    fn as_its_user(&self, program: &str, options: &[&str]) -> (PathBuf, Vec<OsString>) {
        let program = self.programs.join(program);
        if !getuid().is_root() {
            return (program, Vec::new());
        }
        let mut arguments: Vec<OsString> =
            ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"].map(OsString::from).into();
        arguments.extend(options.iter().map(OsString::from));
        arguments.push(program.into());
        (PathBuf::from("/usr/bin/setpriv"), arguments)
    }
}

/// The processes of a server that runs on `data`, whoever started it: all of them are at home there.
fn running_on(data: &Path) -> Vec<Pid> {
    let runs_there = |process: &PathBuf| {
        let link = |name: &str| std::fs::read_link(process.join(name)).unwrap_or_default();
        let program = link("exe");
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        // Somebody's shell can be there, too.
        link("cwd") == data && name.starts_with("postgres")
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let pid = |process: PathBuf| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?);
    processes.filter(runs_there).filter_map(pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(directory: &Path) -> Server {
        Server {
            name: "postgres.1".into(),
            number: 1,
            programs: PathBuf::new(),
            data: directory.join("postgres.1"),
            port: 0,
            address: HERE.into(),
            enter: Vec::new(),
            password: String::new(),
            password_file: PathBuf::new(),
        }
    }

    #[tokio::test]
    async fn what_was_put_away_is_removed_only_once_newer_data_are_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let server = server(directory.path());
        let put_away = |mark: &str| {
            std::fs::create_dir(&server.data).unwrap();
            std::fs::write(server.data.join(mark), "").unwrap();
            server.fence().unwrap();
        };
        let there = || {
            let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        put_away("first");
        server.remove_outdated().await.unwrap();
        assert!(server.former().join("first").exists());
        put_away("second");
        put_away("third");
        assert_eq!(there(), ["postgres.1.former", "postgres.1.former.old1", "postgres.1.former.old2"]);

        // As if all ended before the third was put away.
        std::fs::rename(server.former(), directory.path().join("elsewhere")).unwrap();
        server.remove_outdated().await.unwrap();
        assert!(directory.path().join("postgres.1.former.old2/second").exists());

        std::fs::rename(directory.path().join("elsewhere"), server.former()).unwrap();
        server.remove_outdated().await.unwrap();
        assert_eq!(there(), ["postgres.1.former"]);
        assert!(server.former().join("third").exists());
    }

    #[test]
    fn only_a_primary_that_ended_in_order_was_shut_down() {
        let said = |state: &str| {
            format!(
                "pg_control version number:            1300\nDatabase cluster state:               {state}\n\
                 Latest checkpoint location:           0/3000028\nLatest checkpoint's REDO location:    0/3000020\n\
                 Minimum recovery ending location:     0/0\n"
            )
        };
        let control =
            |shut_down| Control { shut_down, checkpoint: "0/3000028".into(), reached: "0/0".into() };
        assert_eq!(Control::parse(&said("shut down")).unwrap(), control(true));
        for state in ["in production", "shutting down", "shut down in recovery"] {
            assert_eq!(Control::parse(&said(state)).unwrap(), control(false), "{state}");
        }
        assert!(Control::parse("").is_err());
    }
}
