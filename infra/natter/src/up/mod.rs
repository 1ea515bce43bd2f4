//! `natter up`: a whole installation on this machine, as a topology says it, for trying and testing.
//!
//! ```text
//! topology ─ plan ─► recipes ─ supervisor ─► a slot for each copy ─► its process
//!                                  ▲
//!            control.sock ─ natter ps | restart | stop | start
//! ```

mod canary;
mod client;
mod control;
mod data;
mod leash;
mod log;
mod plan;
mod ports;
mod postgres;
mod probe;
mod recipe;
mod rotate;
mod running;
mod slot;
mod supervisor;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use natter_host::TelemetrySettings;
use natter_topology::{Database, Topology};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

pub(crate) use client::{
    CanaryArguments, PsArguments, RotateArguments, TellArguments, canary as try_canary, ps, reload, restart,
    rotate as rotate_credential, start, stop,
};
pub(crate) use leash::{LeashArguments, become_program};
pub(crate) use probe::answers;
pub(crate) use running::write_private;

use control::{Reply, Request};
use data::Data;
use log::Terminal;
use plan::Planner;
use postgres::Postgres;
use recipe::Recipe;
use slot::Order;
use supervisor::{Did, Supervisor};

/// How many may ask and tell at once.
const GUESTS_MAX: usize = 16;

/// Lines that wait for whoever asked.
const DID_MAX: usize = 16;

/// What to run, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArguments {
    /// standalone, cluster, distributed, or the path of a file
    topology: String,
    /// Keep everything in this directory
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The first port on loopback, instead of the topology's; 0 takes any that are free
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Another database than the topology's: sqlite, postgres, or a URL
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// Set one key of every process's settings, such as user.hash_queue=100; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Show no lines of the logs; they are in DIR/log
    #[arg(long)]
    quiet: bool,
}

impl UpArguments {
    fn load(&self) -> anyhow::Result<Topology> {
        let mut topology = Topology::load(&self.topology)?;
        match self.database.as_deref() {
            None => {}
            Some("sqlite") => topology.database = Database::Sqlite,
            Some("postgres") => topology.database = Database::Postgres { url: None },
            // Also a directory of SQLite files is a URL.
            Some(url) => topology.database = Database::Postgres { url: Some(url.to_owned()) },
        }
        Ok(topology)
    }
}

/// All that it takes to plan again.
struct Installation {
    arguments: UpArguments,
    data: Data,
    planner: Planner,
    postgres: Option<Postgres>,
    /// Parts of which a copy runs that tries a new version, and its program if that is another.
    canaries: BTreeMap<String, Option<PathBuf>>,
}

/// What runs, in the order in which it starts.
struct Plan {
    nats: Vec<Recipe>,
    postgres: Option<Recipe>,
    processes: Vec<Recipe>,
}

impl Installation {
    async fn prepare(arguments: UpArguments) -> anyhow::Result<(Self, Plan)> {
        let topology = arguments.load()?;
        let data = Data::open(&arguments.data)?;
        let base_port = arguments.base_port.unwrap_or(topology.base_port);
        let mut planner = Planner::new(base_port, arguments.set.clone()).await?;
        planner.reserve_ports(&topology)?;
        let postgres = match &topology.database {
            Database::Postgres { url: None } => {
                Some(Postgres::prepare(&data, planner.postgres_port()?).await?)
            }
            _ => None,
        };
        // What was tried when this ran last doesn't run any more.
        natter_nats::Bus::open_secrets(&data.bus())?.forget_canaries()?;
        let mut this = Self { arguments, data, planner, postgres, canaries: BTreeMap::new() };
        let plan = this.plan(&topology)?;
        Ok((this, plan))
    }

    fn plan(&mut self, topology: &Topology) -> anyhow::Result<Plan> {
        let bus = self.planner.nats(topology, &self.data)?;
        let database = self.database(topology);
        let mut processes = self.planner.processes(topology, &self.data, &bus, &database)?;
        for (part, program) in &self.canaries {
            let of = (part.as_str(), program.as_deref());
            processes.push(self.planner.canary(topology, &self.data, &bus, &database, of)?);
        }
        let postgres = self.postgres.as_ref().map(Postgres::recipe);
        Ok(Plan { nats: bus.recipes, postgres, processes })
    }

    fn database(&self, topology: &Topology) -> String {
        match (&self.postgres, &topology.database) {
            (Some(postgres), _) => postgres.url(),
            (None, Database::Postgres { url: Some(url) }) => url.clone(),
            (None, _) => format!("sqlite:{}", self.data.path().join("db").display()),
        }
    }

    /// What runs a copy of `part` that tries a new version.
    fn canary(&mut self, part: &str, program: Option<&Path>) -> anyhow::Result<Recipe> {
        let topology = self.arguments.load()?;
        let (bus, database) = (self.planner.nats(&topology, &self.data)?, self.database(&topology));
        self.planner.canary(&topology, &self.data, &bus, &database, (part, program))
    }

    /// Starts what the plan says, each once that is ready which it stands on.
    async fn start(&self, supervisor: &Supervisor, plan: Plan) -> anyhow::Result<()> {
        supervisor.start(plan.nats).await?;
        if let (Some(postgres), Some(recipe)) = (&self.postgres, plan.postgres) {
            supervisor.start(vec![recipe]).await?;
            postgres.ensure_database().await?;
        }
        // A process that can't start is tried again; it doesn't keep the others from their work.
        if let Err(error) = supervisor.start(plan.processes).await {
            tracing::error!(error = format!("{error:#}"), "not everything has started");
        }
        Ok(())
    }

    /// Reads the topology again and does what has changed.
    async fn reload(&mut self, supervisor: &Supervisor, did: &Did) -> anyhow::Result<()> {
        let topology = self.arguments.load()?;
        let plan = self.plan(&topology)?;
        // Their configurations were written anew, and they read them without stopping.
        rotate::reload(supervisor, did).await?;
        let all = plan.nats.into_iter().chain(plan.postgres).chain(plan.processes).collect();
        supervisor.follow(all, did).await
    }
}

/// What everybody who may tell it something shares.
struct Up {
    name: String,
    installation: Mutex<Installation>,
    supervisor: Supervisor,
}

impl Up {
    async fn reload(&self, did: &Did) -> anyhow::Result<()> {
        self.installation.lock().await.reload(&self.supervisor, did).await
    }
}

impl Up {
    async fn rotate(&self, holder: &str, keep: Duration, did: &Did) -> anyhow::Result<()> {
        // Nothing else writes the bus's files meanwhile.
        let installation = self.installation.lock().await;
        let bus = natter_nats::Bus::open_secrets(&installation.data.bus())?;
        rotate::rotate(&bus, &self.supervisor, holder, keep, did).await
    }
}

/// Runs the installation until it is told to stop.
pub(crate) async fn up(arguments: UpArguments) -> anyhow::Result<()> {
    natter_host::init_telemetry(&TelemetrySettings::default())?;
    let terminal = Terminal::new(arguments.quiet);
    let name = arguments.topology.clone();
    let (installation, plan) = Box::pin(Installation::prepare(arguments)).await?;
    let data = installation.data.path().to_owned();
    let socket = data::control_socket(&data);
    let listener = control::listen(&socket)?;
    let supervisor = Supervisor::new(&installation.data, terminal);
    let up = Arc::new(Up { name, installation: Mutex::new(installation), supervisor });

    let mut stop = Stop::new()?;
    let guests = TaskTracker::new();
    let ended = {
        let work = async {
            up.installation.lock().await.start(&up.supervisor, plan).await?;
            greet(&up, &data).await;
            reload_when_told(&up).await
        };
        tokio::select! {
            ended = work => ended,
            () = receive(listener, &up, &guests) => Ok(()),
            () = stop.requested() => Ok(()),
        }
    };
    tracing::info!("stopping; once more to stop at once");
    tokio::select! {
        () = up.supervisor.stop() => {}
        // Children are killed with us.
        () = stop.requested() => std::process::exit(130),
    }
    let _ = std::fs::remove_file(socket);
    ended
}

/// Does what SIGHUP asks for; returns when the terminal was closed instead.
async fn reload_when_told(up: &Up) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup()).context("receive SIGHUP")?;
    let on_terminal = Terminal::is_one();
    loop {
        hang_up.recv().await;
        if on_terminal && !Terminal::is_one() {
            return Ok(());
        }
        let (did, mut told) = mpsc::channel(DID_MAX);
        let reloading = async move { up.reload(&did).await };
        let telling = async {
            while let Some(what) = told.recv().await {
                tracing::info!(what, "as the topology says now");
            }
        };
        let (reloaded, ()) = tokio::join!(reloading, telling);
        if let Err(error) = reloaded {
            tracing::error!(error = format!("{error:#}"), "not all is as the topology says now");
        }
    }
}

/// SIGTERM and Ctrl-C.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("receive SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("receive SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves whoever asks, each beside the others.
async fn receive(listener: UnixListener, up: &Arc<Up>, guests: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) if guests.len() < GUESTS_MAX => {
                let up = up.clone();
                guests.spawn(async move {
                    if let Err(error) = serve(&mut stream, &up).await {
                        tracing::debug!(error = format!("{error:#}"), "whoever asked has left");
                    }
                });
            }
            Ok(_) => tracing::warn!("too many ask at once"),
            Err(error) => {
                tracing::warn!(%error, "can't be asked now");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: &mut UnixStream, up: &Up) -> anyhow::Result<()> {
    let request = control::request(stream).await?;
    let supervisor = &up.supervisor;
    if matches!(request, Request::Ps) {
        let copies = supervisor.look().await;
        let copies = Reply::Copies { topology: up.name.clone(), pid: std::process::id(), copies };
        control::reply(stream, &copies).await?;
        return control::reply(stream, &Reply::Ok).await;
    }
    let (did, mut told) = mpsc::channel(DID_MAX);
    let doing = async move {
        match request {
            Request::Ps => Ok(()),
            Request::Restart { what } => supervisor.each(&what, || Order::Restart, "replaced", &did).await,
            Request::Stop { what } => supervisor.each(&what, || Order::Stop, "stopped", &did).await,
            Request::Start { what } => supervisor.each(&what, || Order::Start, "started", &did).await,
            Request::Rotate { holder, keep } => up.rotate(&holder, Duration::from_secs(keep), &did).await,
            Request::Canary { what, percent, program } => {
                let mut installation = up.installation.lock().await;
                canary::canary(&mut installation, supervisor, &what, percent, program, &did).await
            }
            Request::Reload => up.reload(&did).await,
        }
    };
    let telling = async {
        while let Some(what) = told.recv().await {
            // Whoever asked may leave: what has begun is brought to its end.
            let _ = control::reply(stream, &Reply::Did(what)).await;
        }
    };
    let (done, ()) = tokio::join!(doing, telling);
    let last = match done {
        Ok(()) => Reply::Ok,
        Err(error) => Reply::Error(format!("{error:#}")),
    };
    control::reply(stream, &last).await
}

/// Says where everything is, and the lines to type next.
async fn greet(up: &Up, data: &Path) {
    let program = std::env::args().next().unwrap_or_else(|| "natter".into());
    let copies = up.supervisor.look().await;
    let mut text = format!("\nNatter is up: {}.\n", up.name);
    for line in supervisor::addresses(&copies) {
        text += &format!("{line}\n");
    }
    let data = data.display();
    text += &format!("  logs       {data}/log\n  stop       Ctrl-C\n");
    text += &format!("\nNext, in another terminal:\n  {program} ps --data {data}\n");
    if let Some(address) = copies.iter().find_map(|copy| copy.addresses.get("edge.tcp")) {
        text += &format!("  {program} chat --server tcp://{address}\n");
    }
    // A terminal that was closed needs no greeting.
    let _ = std::io::stdout().lock().write_all(format!("{text}\n").as_bytes());
}
