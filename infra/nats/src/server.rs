//! The child process.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Bus;

/// Queue-scoped permissions and the headers that we rely on are settled since then.
const MINIMUM: (u32, u32) = (2, 10);
/// Names the program to run, before anything else does.
const PROGRAM_VARIABLE: &str = "NATTER_NATS_SERVER";
const READY_WITHIN: Duration = Duration::from_secs(10);
const STOP_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);
const RESTART_AFTER: Duration = Duration::from_millis(100);
const RESTART_AFTER_AT_MOST: Duration = Duration::from_secs(5);

/// A `nats-server` that runs as our child, and runs again when it dies. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    /// Holds one task, which owns the child: with the set, the task goes, and with the task, the child.
    supervisor: JoinSet<()>,
}

impl Server {
    /// Starts the server of `bus` and waits until it accepts connections. `program` is as in [`find`].
    ///
    /// A server that an earlier process left behind (it was killed, and couldn't stop its child) is stopped first,
    /// where the system has `/proc`.
    ///
    /// # Errors
    /// When there is no program to run, another process runs the server of this bus, or the server ends early; the error
    /// then has the last lines of its log.
    pub async fn start(bus: &Bus, program: Option<&Path>) -> anyhow::Result<Self> {
        let program = find(program).await?;
        let launch = Launch { program, bus: bus.clone(), _lock: lock(bus)? };
        stop_leftover(bus).await?;
        let Running { child, url, port } = launch.launch(None).await?;
        bus.write_environments(&url)?;
        tracing::info!(url, log = %bus.log_path().display(), "nats-server is ready");

        let (stop, stopped) = oneshot::channel();
        let mut supervisor = JoinSet::new();
        supervisor.spawn(launch.supervise(child, port, stopped));
        Ok(Self { url, stop, supervisor })
    }

    /// Where clients connect. A restart doesn't change it.
    #[must_use]
    pub fn client_url(&self) -> &str {
        &self.url
    }

    /// Asks the server to stop, and kills it when it takes too long.
    pub async fn shutdown(mut self) {
        // A supervisor that is gone has nothing to stop.
        let _ = self.stop.send(());
        self.supervisor.join_next().await;
    }
}

/// All it takes to start the server, at first and again.
struct Launch {
    program: PathBuf,
    bus: Bus,
    /// Keeps other processes from starting a server on this bus, and from taking ours for a leftover.
    _lock: File,
}

struct Running {
    child: Child,
    url: String,
    port: u16,
}

impl Launch {
    async fn supervise(self, mut child: Child, port: u16, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut stopped => return terminate(child).await,
                status = child.wait() => {
                    tracing::error!(?status, log = last_lines(&self.bus), "nats-server died");
                }
            }
            child = tokio::select! {
                _ = &mut stopped => return,
                child = self.relaunch(port) => child,
            };
        }
    }

    async fn relaunch(&self, port: u16) -> Child {
        let mut delay = RESTART_AFTER;
        loop {
            sleep(delay).await;
            match self.launch(Some(port)).await {
                Ok(running) => {
                    tracing::info!(url = running.url, "nats-server is back");
                    return running.child;
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "nats-server can't restart"),
            }
            delay = (delay * 2).min(RESTART_AFTER_AT_MOST);
        }
    }

    /// Starts the server, on `port` rather than the configured one, and waits until it accepts connections.
    async fn launch(&self, port: Option<u16>) -> anyhow::Result<Running> {
        remove_ports_files(&self.bus)?;
        // The server logs to this file by itself; a panic, or a mistake in its configuration, it says on stderr.
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(self.bus.log_path())?;
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.bus.conf_path());
        if let Some(port) = port {
            command.args(["--port", &port.to_string()]);
        }
        // In a process group of its own, it doesn't get the terminal's Ctrl-C: it must outlive our drain.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("can't run {}", self.program.display()))?;

        let ready = timeout(READY_WITHIN, self.ready(&mut child)).await;
        let url =
            ready.unwrap_or_else(|_| bail!("is not ready after {READY_WITHIN:?}")).map_err(|error| {
                let (log, end) = (self.bus.log_path(), last_lines(&self.bus));
                anyhow!("nats-server {error}; {} ends with:\n{end}", log.display())
            })?;
        let port =
            url.rsplit(':').next().and_then(|port| port.parse().ok()).context("a URL without a port")?;
        Ok(Running { child, url, port })
    }

    /// Waits for the file in which the server tells its ports: it writes it once it listens, and the process id in the
    /// name proves that it is this server that does.
    async fn ready(&self, child: &mut Child) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
        }

        let pid = child.id().context("ended at once")?;
        let mut name = self.program.file_name().unwrap_or_default().to_owned();
        name.push(format!("_{pid}.ports"));
        let path = self.bus.dir().join(name);
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("ended with {status}");
            }
            // Half a file doesn't parse.
            let ports = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Ports>(&text).ok());
            if let Some(url) = ports.and_then(|ports| ports.nats.into_iter().next()) {
                return Ok(url);
            }
            sleep(POLL).await;
        }
    }
}

/// Finds a `nats-server` that is new enough: the one that `NATTER_NATS_SERVER` or `configured` names, or else
/// `.tools/nats-server` here (under Cargo: in the workspace), or else the first one on `PATH`.
///
/// # Errors
/// When there is none; the error says how to get one.
pub async fn find(configured: Option<&Path>) -> anyhow::Result<PathBuf> {
    let named = env::var_os(PROGRAM_VARIABLE).map(PathBuf::from).or_else(|| configured.map(Path::to_owned));
    let candidates = named.map_or_else(candidates, |named| vec![named]);
    let mut seen = String::new();
    for candidate in candidates {
        match version(&candidate).await {
            Ok(version) if version >= MINIMUM => return Ok(candidate),
            Ok((major, minor)) => seen.push_str(&format!("; {} is {major}.{minor}", candidate.display())),
            Err(error) => seen.push_str(&format!("; {}: {error:#}", candidate.display())),
        }
    }
    let (major, minor) = MINIMUM;
    bail!(
        "no nats-server {major}.{minor} or newer: run `make nats-server`, or name one in {PROGRAM_VARIABLE}{seen}"
    )
}

fn candidates() -> Vec<PathBuf> {
    // Cargo runs tests in the directory of their package, at most two below the workspace.
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let tools = package.ancestors().take(3).map(|dir| dir.join(".tools"));
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = tools.chain(env::split_paths(&path)).map(|dir| dir.join("nats-server"));
    candidates.filter(|candidate| candidate.is_file()).collect()
}

/// Asks a program for its version: it answers `nats-server: v2.15.1`.
async fn version(program: &Path) -> anyhow::Result<(u32, u32)> {
    let asked = Command::new(program).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(STOP_WITHIN, asked).await.context("no answer to --version")??;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).with_context(|| format!("not a nats-server: {text:?}"))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("nats-server: v")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn lock(bus: &Bus) -> anyhow::Result<File> {
    let path = bus.lock_path();
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("another process runs the server of {}", bus.dir().display()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

/// With the lock held, a server that runs on this bus has lost its parent.
async fn stop_leftover(bus: &Bus) -> anyhow::Result<()> {
    let Some(pid) = leftover(bus) else { return Ok(()) };
    tracing::warn!(pid = pid.as_raw_nonzero(), "stopping a nats-server that an earlier process left behind");
    for signal in [Signal::TERM, Signal::KILL] {
        // It may end by itself meanwhile.
        let _ = kill_process(pid, signal);
        let gone = async {
            while leftover(bus) == Some(pid) {
                sleep(POLL).await;
            }
        };
        if timeout(STOP_WITHIN, gone).await.is_ok() {
            return Ok(());
        }
    }
    bail!("can't stop the nats-server that an earlier process left behind (process {})", pid.as_raw_nonzero())
}

/// The process in the pid file, if it still is a server with our configuration: process ids are used again.
fn leftover(bus: &Bus) -> Option<Pid> {
    let pid: i32 = fs::read_to_string(bus.pid_path()).ok()?.trim().parse().ok()?;
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = command_line.split(|byte| *byte == 0);
    let program = String::from_utf8_lossy(arguments.next()?);
    let ours = Path::new(&*program).file_name()?.to_string_lossy().starts_with("nats-server")
        && arguments.next()? == b"-c"
        && arguments.next()? == bus.conf_path().as_os_str().as_encoded_bytes();
    if ours { Pid::from_raw(pid) } else { None }
}

/// A server that was killed leaves them, and its process id may come back.
fn remove_ports_files(bus: &Bus) -> anyhow::Result<()> {
    for entry in fs::read_dir(bus.dir())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ports") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

async fn terminate(mut child: Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid
        && kill_process(pid, Signal::TERM).is_ok()
        && timeout(STOP_WITHIN, child.wait()).await.is_ok()
    {
        return;
    }
    if let Err(error) = child.kill().await {
        tracing::warn!(%error, "can't kill nats-server");
    }
}

/// The end of the log, for an error.
fn last_lines(bus: &Bus) -> String {
    const LINES: usize = 8;
    const BYTES: u64 = 4096;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut log = File::open(bus.log_path())?;
        let from = log.metadata()?.len().saturating_sub(BYTES);
        log.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        log.take(BYTES).read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_the_server_prints() {
        assert_eq!(parse_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(parse_version("nats-server: v2.9.25-RC.1"), Some((2, 9)));
        assert_eq!(parse_version("nats-streaming-server version 0.1"), None);
        assert!((2, 9) < MINIMUM && (2, 10) >= MINIMUM);
    }
}
