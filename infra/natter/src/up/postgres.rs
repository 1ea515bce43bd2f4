//! A PostgreSQL server of the installation's own, where its programs are installed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Signal, getuid};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::data::Data;
use super::recipe::{Ready, Recipe};

const USER: &str = "natter";
const DATABASE: &str = "natter";
/// What it is called in `natter ps`, and where its files are.
pub(super) const NAME: &str = "postgres";
const READY_WITHIN: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Four of each module's copy, and room for a person.
const CONNECTIONS: u32 = 400;

/// The server, not yet running.
#[derive(Debug)]
pub(super) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    password: String,
}

impl Postgres {
    /// Makes a database cluster in the data directory, unless there is one.
    pub(super) async fn prepare(data: &Data, port: u16) -> anyhow::Result<Self> {
        let programs = programs()?;
        let password_file = data.path().join("run/postgres.password");
        if !password_file.exists() {
            super::running::write_private(
                &password_file,
                &format!("{:016x}{:016x}\n", getrandom::u64()?, getrandom::u64()?),
            )?;
        }
        let password = std::fs::read_to_string(&password_file)?.trim().to_owned();
        let postgres = Self { programs, data: data.path().join(NAME), port, password };
        if !postgres.data.join("PG_VERSION").exists() {
            postgres.make(data).await.context("make a PostgreSQL database")?;
        }
        Ok(postgres)
    }

    async fn make(&self, data: &Data) -> anyhow::Result<()> {
        // In a place where the server's user may read it, and only for the moment.
        let password = data.path().join("postgres.new");
        super::running::write_private(&password, &self.password)?;
        std::fs::create_dir_all(&self.data)?;
        if getuid().is_root() {
            data.let_pass()?;
            run(Command::new("chown").arg("postgres").args([&self.data, &password])).await?;
        }
        let (program, arguments) = self.as_its_user("initdb", &[]);
        let mut command = Command::new(program);
        command.args(arguments).args(["--username", USER, "--auth", "scram-sha-256", "--pwfile"]);
        command.arg(&password).args(["--encoding", "UTF8", "--locale", "C", "--pgdata"]).arg(&self.data);
        let made = run(command.current_dir("/")).await;
        std::fs::remove_file(&password)?;
        made
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{DATABASE}", self.password, self.port)
    }

    pub(super) fn recipe(&self) -> Recipe {
        let (program, mut arguments) = self.as_its_user("postgres", &["--pdeathsig", "QUIT"]);
        arguments.extend(["-D".into(), self.data.clone().into(), "-p".into(), self.port.to_string().into()]);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS}"),
        ] {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let address = format!("127.0.0.1:{}", self.port);
        Recipe {
            name: NAME.to_owned(),
            process: NAME.to_owned(),
            parts: Vec::new(),
            program,
            binary: self.programs.join("postgres"),
            arguments,
            configuration: None,
            ready: Ready::Accepts { address: address.clone() },
            // A fast shutdown: it doesn't wait for those who are connected.
            stop_signal: Signal::INT,
            addresses: BTreeMap::from([("postgres".to_owned(), address)]),
        }
    }

    /// Makes the database, once the server runs, unless it is there.
    pub(super) async fn ensure_database(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let mut command = Command::new(self.programs.join("createdb"));
            command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, DATABASE]);
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

/// Debian keeps the server's programs outside PATH.
fn programs() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort();
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres", "createdb"].iter().all(|program| directory.join(program).is_file())
    };
    installed.into_iter().rev().chain(std::env::split_paths(&path)).find(complete).context(
        "this topology needs PostgreSQL: install its server, or give --database sqlite or the URL of an empty database",
    )
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
