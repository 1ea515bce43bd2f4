//! The platform, running.

mod up;

pub use up::Shown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::proxy::Proxy;
use broker_schemas::permission::Holder;
use broker_schemas::subject;
use natter_client::Address;
use natter_host::testing::signal;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(20);

/// On which database the platform runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// Files in the platform's own directory.
    Sqlite,
    /// A new database on the server at this URL.
    Postgres(String),
    /// Whatever the topology says, which `natter up` runs.
    OfTopology,
}

impl Backend {
    /// PostgreSQL, where there is a server for tests.
    #[must_use]
    pub fn postgres() -> Option<Self> {
        std::env::var("NATTER_TEST_POSTGRES").ok().map(Self::Postgres)
    }
}

/// A running platform; its processes end with it.
#[derive(Debug)]
pub struct Platform {
    directory: TempDir,
    database: String,
    settings: Vec<String>,
    bus: Option<natter_nats::Server>,
    bus_url: String,
    processes: BTreeMap<&'static str, Child>,
    /// What the command of a part begins with.
    wraps: BTreeMap<&'static str, Vec<String>>,
    /// Settings of one part.
    own_settings: BTreeMap<&'static str, Vec<String>>,
    /// The topology that `natter up` runs in place of what the tests start by themselves.
    topology: Option<String>,
    /// What else the command line of `natter up` has.
    up_arguments: Vec<String>,
    /// Where the programs are that it runs then, if not beside this one.
    programs: Option<PathBuf>,
}

/// What every test platform has otherwise than a real one: no limits on how fast a single machine may act, and hashes
/// that cost little.
const TEST_SETTINGS: &[&str] = &[
    "message.send_per_second=0",
    "edge.max_connections_per_address=0",
    "user.register_burst=0",
    "group.create_burst=0",
    "group.change_burst=0",
    "friend.change_burst=0",
    "user.limit_guessing=false",
    "user.insecure_fast_hashing=true",
    "user.hash_queue=10000",
];

/// What a platform consists of, in the order in which it starts.
const PARTS: [&str; 6] = ["message", "friend", "group", "user", "admin", "edge"];

/// Whether `NATTER_TEST_WITHOUT` names this part: to see that suites pass while it is down.
///
/// # Panics
/// When it names none, and so would show nothing.
pub fn is_left_out(part: &str) -> bool {
    let Ok(without) = std::env::var("NATTER_TEST_WITHOUT") else { return false };
    assert!(PARTS.contains(&&*without), "NATTER_TEST_WITHOUT: expected one of {PARTS:?}, got {without:?}");
    assert!(up::chosen().is_none(), "NATTER_TEST_WITHOUT: what runs in a topology, the topology says");
    without == part
}

/// The name under which [`Platform::standalone`] runs everything.
const ALL: &str = "all";

/// The name under which [`Platform::start_admin_edge`] runs an edge.
pub const ADMIN_EDGE: &str = "edge7";

/// Whether clients connect to this part.
fn has_sockets(part: &str) -> bool {
    part == ALL || part.starts_with("edge")
}

impl Platform {
    /// Everything in one process with a bus of its own: what `make run` starts.
    pub async fn standalone(backend: Backend) -> Self {
        Self::standalone_with(backend, &[]).await
    }

    /// The same, with further settings (`section.key=value`).
    pub async fn standalone_with(backend: Backend, settings: &[&str]) -> Self {
        let mut platform = Self::prepare(backend, settings).await;
        platform.start(ALL).await;
        platform
    }

    /// Each part in a process of its own.
    pub async fn distributed(backend: Backend) -> Self {
        Self::distributed_with(backend, &[]).await
    }

    /// The same, with further settings (`section.key=value`).
    pub async fn distributed_with(backend: Backend, settings: &[&str]) -> Self {
        let mut platform = Self::prepare_distributed(backend, settings).await;
        platform.start_distributed().await;
        platform
    }

    /// The same, not yet running, so that parts can be wrapped before [`Platform::start_distributed`].
    pub async fn prepare_distributed(backend: Backend, settings: &[&str]) -> Self {
        Self::prepare(backend, settings).await
    }

    /// Starts the bus, and each part in a process of its own.
    pub async fn start_distributed(&mut self) {
        if self.topology.is_some() {
            return self.start(ALL).await;
        }
        self.start_bus().await;
        self.start_parts().await;
    }

    async fn start_parts(&mut self) {
        for part in PARTS.into_iter().filter(|part| !is_left_out(part)) {
            self.start(part).await;
        }
    }

    /// Each part in a process of its own, and between the parts and the bus a wire that can be cut.
    pub async fn distributed_on_a_wire(backend: Backend, settings: &[&str]) -> (Self, Proxy) {
        let mut platform = Self::prepare(backend, settings).await;
        platform.start_bus().await;
        let wire = Proxy::to(platform.bus_url.trim_start_matches("nats://")).await;
        platform.bus_url = format!("nats://{}", wire.address);
        platform.start_parts().await;
        (platform, wire)
    }

    async fn prepare(backend: Backend, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = match &backend {
            Backend::Sqlite => format!("sqlite:{}", directory.path().display()),
            Backend::Postgres(server) => natter_host::testing::new_postgres(server).await,
            Backend::OfTopology => String::new(),
        };
        let settings = TEST_SETTINGS.iter().chain(settings).map(ToString::to_string).collect();
        Self {
            directory,
            database,
            settings,
            bus: None,
            bus_url: String::new(),
            processes: BTreeMap::new(),
            wraps: BTreeMap::new(),
            own_settings: BTreeMap::new(),
            topology: up::chosen(),
            up_arguments: Vec::new(),
            programs: None,
        }
    }

    async fn start_bus(&mut self) {
        let options = natter_nats::Options { port: 0, ..natter_nats::Options::default() };
        let bus = natter_nats::Bus::create_or_open(&self.bus_directory(), &options).unwrap();
        let server = natter_nats::Server::start(&bus, nats_server().as_deref()).await.unwrap();
        self.bus_url = server.client_url().to_owned();
        self.bus = Some(server);
    }

    /// Starts a part that doesn't run: one of a distributed platform, or all of a standalone one. A digit at the end of
    /// the name makes it another copy: `edge2`.
    pub async fn start(&mut self, part: &'static str) {
        if self.topology.is_some() && part != ALL {
            return self.start_again(part).await;
        }
        let started = self.spawn_serving(part).await;
        assert!(self.processes.insert(part, started).is_none(), "{part} runs already");
    }

    /// From its next start on, `part` alone has a further setting (`section.key=value`).
    pub fn set(&mut self, part: &'static str, setting: &str) {
        self.own_settings.entry(part).or_default().push(setting.to_owned());
    }

    /// Starts an edge that carries administrative calls, and says where clients connect to it over TCP.
    pub async fn start_admin_edge(&mut self) -> Address {
        self.set(ADMIN_EDGE, "edge.admin=true");
        self.start(ADMIN_EDGE).await;
        self.tcp_of(ADMIN_EDGE).await
    }

    /// From its next start on, `part` runs inside another command, which must become the part itself: `env X=Y`,
    /// `ip netns exec N`.
    pub fn wrap(&mut self, part: &'static str, command: &[&str]) {
        self.wraps.insert(part, command.iter().map(ToString::to_string).collect());
    }

    /// From its next start on, `part` runs in a network namespace, from within which this machine's loopback is at the address
    /// `outside`.
    pub fn wrap_in_namespace(&mut self, part: &'static str, namespace: &str, outside: &str) {
        let from_within = |url: &str| url.replace("127.0.0.1", outside).replace("localhost", outside);
        let script = format!(
            "exec \"$0\" \"$@\" --set 'bus.url={}' --set 'database.url={}'",
            from_within(&self.bus_url),
            from_within(&self.database)
        );
        self.wrap(part, &["ip", "netns", "exec", namespace, "bash", "-c", &script]);
    }

    /// Parts that ended though nobody made them.
    pub fn died(&mut self) -> Vec<&'static str> {
        let processes = self.processes.iter_mut();
        processes.filter_map(|(part, process)| process.try_wait().unwrap().map(|_| *part)).collect()
    }

    /// Starts another copy of a part, lets it serve, then stops the first one: what a rolling restart does.
    pub async fn replace(&mut self, part: &'static str) {
        let new = self.spawn_serving(part).await;
        let old = self.processes.insert(part, new).unwrap();
        stop(old, part).await;
    }

    /// Stops a part as an operator would, and waits for its end.
    pub async fn stop(&mut self, part: &'static str) {
        if self.topology.is_some() && part != ALL {
            return self.stop_copies(part).await;
        }
        stop(self.processes.remove(part).unwrap(), part).await;
    }

    /// Waits until a part ends by itself; how.
    ///
    /// # Errors
    /// When it goes on for all of `limit`.
    pub async fn ended(
        &mut self,
        part: &'static str,
        limit: Duration,
    ) -> Result<std::process::ExitStatus, tokio::time::error::Elapsed> {
        let status = timeout(limit, self.processes.get_mut(part).unwrap().wait()).await?.unwrap();
        self.processes.remove(part);
        Ok(status)
    }

    /// Ends a part without a warning.
    pub async fn kill(&mut self, part: &'static str) {
        if self.topology.is_some() && part != ALL {
            return self.kill_copies(part).await;
        }
        let mut process = self.processes.remove(part).unwrap();
        process.start_kill().unwrap();
        process.wait().await.unwrap();
    }

    /// Stops all of a standalone platform and starts it again.
    pub async fn restart(&mut self) {
        self.stop(ALL).await;
        self.start(ALL).await;
        self.ready().await;
    }

    /// Waits until clients are served.
    pub async fn ready(&self) {
        let address = self.tcp().await;
        let deadline = Instant::now() + START;
        loop {
            if natter_client::Client::connect(&address).await.is_ok() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "nobody listens at {address}; see {}",
                self.log(ALL).display()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where clients connect over TCP; waits until the edge listens.
    pub async fn tcp(&self) -> Address {
        Address::Tcp(self.address("tcp").await)
    }

    /// Where clients of one of several edges connect over TCP; waits until it listens.
    pub async fn tcp_of(&self, edge: &str) -> Address {
        Address::Tcp(self.address_of(edge, "tcp").await)
    }

    /// Where clients connect over WebSocket; waits until the edge listens.
    pub async fn websocket(&self) -> Address {
        Address::WebSocket(format!("ws://{}/ws", self.address("http").await))
    }

    /// `host:port` of one of the edge's sockets; waits until it listens.
    pub async fn address(&self, socket: &str) -> String {
        self.address_of(if self.bus.is_some() { "edge" } else { ALL }, socket).await
    }

    /// The same, of one of several edges.
    pub async fn address_of(&self, edge: &str, socket: &str) -> String {
        if self.topology.is_some() {
            return up::address_of(&self.natter(), self.directory.path(), edge, socket).await;
        }
        let deadline = Instant::now() + START;
        loop {
            if let Ok(text) = std::fs::read_to_string(self.address_file(edge)) {
                let addresses: serde_json::Value = serde_json::from_str(&text).unwrap();
                return addresses[socket].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < deadline, "the edge does not start; its log:\n{}", self.logs());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where the bus's files are.
    #[must_use]
    pub fn bus_directory(&self) -> PathBuf {
        self.directory.path().join("bus")
    }

    /// Where the bus is.
    #[must_use]
    pub fn bus_url(&self) -> &str {
        &self.bus_url
    }

    /// A connection to the bus with the credential of `holder`.
    pub async fn on_bus(&self, holder: Holder) -> async_nats::Client {
        let seed = self.bus_directory().join(format!("{}.nk", holder.name()));
        let seed = std::fs::read_to_string(seed).unwrap().trim().to_owned();
        let options = async_nats::ConnectOptions::with_nkey(seed);
        let options = options.custom_inbox_prefix(subject::inbox_prefix(holder.name()));
        options.connect(self.bus_url()).await.unwrap()
    }

    /// Where the processes run, and look for their configuration.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the databases are, as `database.url` says it.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What the processes logged so far.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.directory.path()).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                all += &std::fs::read_to_string(entry.path()).unwrap_or_default();
            }
        }
        all
    }

    /// The process id of a part.
    #[must_use]
    pub fn pid(&self, part: &str) -> u32 {
        self.processes[part].id().unwrap()
    }

    /// What each process of the platform has used so far, the bus included.
    #[must_use]
    pub fn usage(&self) -> BTreeMap<&'static str, Usage> {
        let pids = self.processes.iter().filter_map(|(part, process)| Some((*part, process.id()?)));
        // One that just ended has used nothing.
        let bus = self.bus_pid_now().map(|pid| ("nats-server", pid));
        pids.chain(bus).filter_map(|(part, pid)| Some((part, Usage::of(pid)?))).collect()
    }

    /// Ends the NATS server without a warning; whoever started it starts another one.
    pub fn kill_bus(&self) {
        if let Some(pid) = self.bus_pid_now() {
            signal(pid, "KILL");
        }
    }

    /// The process id of the NATS server.
    #[must_use]
    pub fn bus_pid(&self) -> u32 {
        self.bus_pid_now().unwrap()
    }

    /// The process id of the NATS server; none while it is started again.
    #[must_use]
    pub fn bus_pid_now(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.bus_directory().join("nats-server.pid")).ok()?;
        pid.trim().parse().ok()
    }

    fn log(&self, part: &str) -> PathBuf {
        self.directory.path().join(format!("{part}.log"))
    }

    fn address_file(&self, edge: &str) -> PathBuf {
        self.directory.path().join(format!("{edge}.addresses.json"))
    }

    fn spawn(&self, part: &'static str) -> Child {
        let _ = std::fs::remove_file(self.address_file(part));
        let mut command = if let Some(topology) = &self.topology {
            let (natter, database) = (self.natter(), &self.database);
            let settings = self.settings.iter().map(String::as_str);
            let mut command = up::command(&natter, topology, self.directory.path(), database, settings);
            command.args(&self.up_arguments);
            command
        } else {
            self.command(part)
        };
        if let Some(server) = nats_server() {
            command.env("NATTER_NATS_SERVER", server);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log(part)).unwrap();
        command
            // A test's own environment must not configure what it tests.
            .env_remove("NATTER_SERVER")
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{part} does not start: {error}"))
    }

    fn command(&self, part: &'static str) -> Command {
        let mut command = if part == ALL {
            let mut command = Command::new(program("natter"));
            command.args(["serve", "--bus-port", "0", "--data"]).arg(self.directory.path());
            if PARTS.into_iter().any(is_left_out) {
                let parts: Vec<_> = PARTS.into_iter().filter(|part| !is_left_out(part)).collect();
                command.args(["--only", &parts.join(",")]);
            }
            command
        } else {
            let program = program(&format!("natter-{}", part.trim_end_matches(char::is_numeric)));
            match self.wraps.get(part).map(Vec::as_slice) {
                Some([wrap, arguments @ ..]) => {
                    let mut command = Command::new(wrap);
                    command.args(arguments).arg(program);
                    command
                }
                _ => Command::new(program),
            }
        };
        let set = |command: &mut Command, setting: String| {
            command.arg("--set").arg(setting);
        };
        set(&mut command, format!("database.url={}", self.database));
        set(&mut command, format!("bus.directory={}", self.bus_directory().display()));
        set(&mut command, "telemetry.listen=\"\"".into());
        set(&mut command, "edge.tcp=127.0.0.1:0".into());
        set(&mut command, "edge.http=127.0.0.1:0".into());
        set(&mut command, format!("edge.address_file={}", self.address_file(part).display()));
        if part != ALL {
            set(&mut command, format!("bus.url={}", self.bus_url));
        }
        for setting in self.settings.iter().chain(self.own_settings.get(part).into_iter().flatten()) {
            set(&mut command, setting.clone());
        }
        command
    }

    /// Spawns a part and waits until it says that it serves.
    async fn spawn_serving(&self, part: &'static str) -> Child {
        let word = match () {
            () if self.topology.is_some() => up::IS_UP,
            () if has_sockets(part) => " listening",
            () => " serving",
        };
        let said = || std::fs::read_to_string(self.log(part)).unwrap_or_default().matches(word).count();
        let before = said();
        let mut process = self.spawn(part);
        let patience = if self.topology.is_some() { up::START } else { START };
        let deadline = Instant::now() + patience;
        while said() <= before {
            assert!(process.try_wait().unwrap().is_none(), "{part} ended; its log:\n{}", self.logs());
            assert!(Instant::now() < deadline, "{part} does not serve; its log:\n{}", self.logs());
            sleep(Duration::from_millis(20)).await;
        }
        process
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the platform logged ---\n{}", self.logs());
        }
        // A child bus of `natter serve` ends only with a regular stop.
        for process in self.processes.values() {
            if let Some(pid) = process.id() {
                signal(pid, "TERM");
            }
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        for process in self.processes.values_mut() {
            while std::time::Instant::now() < deadline && matches!(process.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// What a process has used so far, as Linux counts it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Which process.
    pub pid: u32,
    /// Processor time, in seconds.
    pub cpu: f64,
    /// Memory that is resident, in bytes.
    pub resident: u64,
    /// Files that are open, sockets included.
    pub descriptors: u64,
}

impl Usage {
    /// Of one process; none when there is no such one.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        /// Linux counts in these, whatever the machine (`USER_HZ`).
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, which may hold anything, ends at the last parenthesis; utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // A process that has ended, and that nobody waited for yet, has no memory.
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { pid, cpu: ticks / TICKS_PER_SECOND, resident: kib * 1024, descriptors })
    }
}

async fn stop(mut process: Child, part: &str) {
    signal(process.id().unwrap(), "TERM");
    match timeout(STOP, process.wait()).await {
        Ok(status) => assert!(status.unwrap().success(), "{part} did not stop cleanly"),
        Err(_) => panic!("{part} did not stop within {STOP:?}"),
    }
}

/// A program of the workspace, which `make test` builds before it runs the tests.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    // A test is in a folder of its own beside the programs, a benchmark is one of them.
    let found =
        this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("the program {name} is missing: run `make test`, or `cargo build --bins`"))
}

/// The server that `make test` fetched, if it did.
fn nats_server() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server");
    fetched.is_file().then_some(fetched)
}
