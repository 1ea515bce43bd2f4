//! The platform as `natter up` runs it: the same tests on another topology, which `NATTER_TEST_TOPOLOGY` names.
//!
//! Then both [`Platform::standalone`](super::Platform::standalone) and
//! [`Platform::distributed`](super::Platform::distributed) are that topology. Only tests that treat the platform from
//! without, as clients do, can run so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use natter_host::testing::signal;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::{ADMIN_EDGE, ALL, Backend, Platform, program};

/// A cluster of three NATS servers, and up to ten processes, on a machine that has other work.
pub(super) const START: Duration = Duration::from_secs(120);
/// What `natter up` says once it has started everything.
pub(super) const IS_UP: &str = "Natter is up";

/// The topology to run, unless the tests shall start the parts by themselves.
pub(super) fn chosen() -> Option<String> {
    std::env::var("NATTER_TEST_TOPOLOGY").ok().filter(|topology| !topology.is_empty())
}

pub(super) fn command<'a>(
    natter: &Path,
    topology: &str,
    directory: &Path,
    database: &str,
    settings: impl Iterator<Item = &'a str>,
) -> Command {
    let mut command = Command::new(natter);
    command.args(["up", topology, "--base-port", "0", "--data"]).arg(directory);
    if !database.is_empty() {
        command.args(["--database", database]);
    }
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// `host:port` where the edge called `edge` listens. Those who don't say which edge use different ones for TCP and
/// WebSocket, so that much goes between two of them. Where one edge is for staff, nobody else goes there; where none is, every
/// one is.
pub(super) async fn address_of(natter: &Path, directory: &Path, edge: &str, socket: &str) -> String {
    let key = format!("edge.{socket}");
    let deadline = Instant::now() + START;
    loop {
        let edges: Vec<(bool, String)> = copies(natter, directory)
            .await
            .iter()
            .filter(|copy| copy["state"] == "ready")
            .filter_map(|copy| {
                let for_staff = copy["process"].as_str()?.starts_with("staff");
                Some((for_staff, copy["addresses"][&key].as_str()?.to_owned()))
            })
            .collect();
        let is_staff = edge == ADMIN_EDGE && edges.iter().any(|(for_staff, _)| *for_staff);
        let of_those = edges.into_iter().filter(|(for_staff, _)| *for_staff == is_staff);
        let addresses: Vec<String> = of_those.map(|(_, address)| address).collect();
        let number = edge.trim_start_matches(|c: char| !c.is_numeric());
        let wanted = match (number.parse::<usize>(), socket) {
            (Ok(number), _) => number - 1,
            (Err(_), "http") => addresses.len().saturating_sub(1),
            (Err(_), _) => 0,
        };
        if let Some(address) = addresses.get(wanted).or(addresses.last()) {
            return address.clone();
        }
        assert!(
            Instant::now() < deadline,
            "no edge is ready for {}",
            if edge == ALL { "anybody" } else { edge }
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// A copy that `natter up` runs.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Shown {
    /// Such as `message.1`.
    pub copy: String,
    /// What it is doing, in one word.
    pub state: String,
    /// Its process; none while there is none.
    pub pid: Option<u32>,
    /// How many times it died and was started again.
    pub restarts: u32,
    /// What it is to the others, where they aren't all the same: `primary`.
    #[serde(default)]
    pub role: Option<String>,
    /// The version of its program.
    pub version: String,
    /// Where it is reached, by the key of the setting; `health` is where its metrics are.
    pub addresses: std::collections::BTreeMap<String, String>,
}

impl Platform {
    /// What `natter up` runs of a topology: one that comes with Natter, or a file.
    pub async fn up(topology: &str, backend: Backend, settings: &[&str]) -> Self {
        Self::up_with(topology, &[], backend, settings).await
    }

    /// The same, with further arguments on the command line.
    pub async fn up_with(topology: &str, arguments: &[&str], backend: Backend, settings: &[&str]) -> Self {
        let mut platform = Self::prepare(backend, settings).await;
        platform.topology = Some(topology.to_owned());
        platform.up_arguments = arguments.iter().map(ToString::to_string).collect();
        platform.start(ALL).await;
        platform
    }

    /// The same, with the programs in this folder, where other ones may take their place while it runs.
    pub async fn up_from(programs: PathBuf, topology: &str, backend: Backend, settings: &[&str]) -> Self {
        let mut platform = Self::prepare(backend, settings).await;
        platform.topology = Some(topology.to_owned());
        platform.programs = Some(programs);
        platform.start(ALL).await;
        platform
    }

    /// The program that runs, and is told.
    pub(super) fn natter(&self) -> PathBuf {
        self.programs.as_ref().map_or_else(|| program("natter"), |programs| programs.join("natter"))
    }

    /// What `natter ps` shows.
    pub async fn copies(&self) -> Vec<Shown> {
        let copies = copies(&self.natter(), self.directory()).await;
        copies.into_iter().map(|copy| serde_json::from_value(copy).unwrap()).collect()
    }

    /// One copy of those.
    pub async fn copy(&self, name: &str) -> Shown {
        let copies = self.copies().await;
        copies.into_iter().find(|shown| shown.copy == name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Tells `natter up` something: what it printed, or the error.
    ///
    /// # Errors
    /// What the command said.
    pub async fn tell(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.natter());
        let output = command.args(arguments).arg("--data").arg(self.directory()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// How many calls of a method a copy has answered.
    pub async fn calls_of(&self, copy: &str, service: &str, method: &str) -> u64 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = self.copy(copy).await.addresses["health"].clone();
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        let (service, method) = (format!("service=\"{service}\""), format!("method=\"{method}\""));
        let is_it = |line: &&str| {
            line.starts_with("natter_requests_total{") && line.contains(&service) && line.contains(&method)
        };
        let count = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
        page.lines().filter(is_it).map(count).sum()
    }

    /// Whether every NATS server takes a credential, given as its seed.
    pub async fn admits(&self, seed: &str) -> bool {
        let mut admits = Vec::new();
        for copy in copies(&self.natter(), self.directory()).await {
            let Some(url) = copy["addresses"]["clients"].as_str() else { continue };
            let options = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned())
                .add_root_certificates(self.bus_directory().join("ca.crt"))
                .require_tls(url.starts_with("tls:"));
            match options.connect(url).await {
                Ok(_) => admits.push(true),
                Err(error) if error.kind() == async_nats::ConnectErrorKind::AuthorizationViolation => {
                    admits.push(false);
                }
                Err(error) => panic!("{url}: {error:?}"),
            }
        }
        let first = *admits.first().unwrap();
        assert!(admits.iter().all(|admits| *admits == first), "the servers disagree: {admits:?}");
        first
    }

    /// The process id of `natter up` itself.
    #[must_use]
    pub fn up_pid(&self) -> u32 {
        self.pid(ALL)
    }

    /// A topology has its copies: a test that wants a second edge, `edge2`, finds one, or the same one twice. What such a test
    /// stopped or killed is a process of its own, or the test can't be run on this topology.
    pub(super) async fn start_again(&self, part: &str) {
        if !part.ends_with(char::is_numeric) {
            self.tell(&["start", part]).await.unwrap();
        }
    }

    /// Stops all copies of a part.
    pub(super) async fn stop_copies(&self, part: &str) {
        self.tell(&["stop", part]).await.unwrap();
    }

    /// Kills all copies of a part, which are started again.
    pub(super) async fn kill_copies(&self, part: &str) {
        let copies = self.copies().await.into_iter();
        let of_part = copies.filter(|shown| shown.copy.starts_with(&format!("{part}.")));
        let pids: Vec<u32> = of_part.filter_map(|shown| shown.pid).collect();
        assert!(!pids.is_empty(), "{part} is no process of its own");
        for pid in pids {
            signal(pid, "KILL");
        }
    }

    /// What `natter up` says when it doesn't start.
    pub async fn refuses_to_start(&self) -> String {
        let topology = self.topology.as_deref().unwrap();
        let settings = self.settings.iter().map(String::as_str);
        let mut command = command(&self.natter(), topology, self.directory(), &self.database, settings);
        let output = command.output().await.unwrap();
        assert!(!output.status.success(), "it started");
        String::from_utf8(output.stderr).unwrap()
    }

    /// How `natter up` ends, if it does within this time.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        self.ended(ALL, limit).await.ok()
    }

    /// Waits until `natter up` ends, having been told to.
    pub async fn up_ended(&mut self, limit: Duration) -> std::process::ExitStatus {
        self.ended(ALL, limit).await.unwrap_or_else(|_| panic!("natter up runs on; {}", self.logs()))
    }
}

/// What `natter ps` shows.
async fn copies(natter: &Path, directory: &Path) -> Vec<Value> {
    let output = Command::new(natter).args(["ps", "--json", "--data"]).arg(directory).output().await.unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    shown["copies"]["copies"].as_array().cloned().unwrap_or_default()
}
