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
mod guests;
mod hosts;
mod installation;
mod leash;
mod log;
mod plan;
mod ports;
mod postgres;
mod probe;
mod recipe;
mod relay;
mod rotate;
mod running;
mod slot;
mod supervisor;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use natter_host::TelemetrySettings;
use natter_topology::{Database, Topology};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::TaskTracker;

pub(crate) use client::{
    CanaryArguments, PromoteArguments, PsArguments, RotateArguments, TellArguments, canary as try_canary,
    cut, heal, promote, ps, reload, restart, rotate as rotate_credential, start, stop,
};
pub(crate) use leash::{LeashArguments, become_program};
pub(crate) use probe::answers;
pub(crate) use relay::{RelayArguments, relay};
pub(crate) use running::write_private;

use installation::Installation;
use log::Terminal;
use postgres::Keeper;
use supervisor::{Did, Supervisor};

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
    /// Run each copy on a host of its own, a network namespace, so that `natter cut` can take it off the network: as root
    #[arg(long)]
    hosts: bool,
    /// Leave a copy alone that does not answer any more, such as one in a debugger, instead of starting it again
    #[arg(long)]
    keep_hung: bool,
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
            // With its standby, where the topology says so.
            Some("postgres") if topology.has_postgres() => {}
            Some("postgres") => topology.database = Database::POSTGRES,
            // Also a directory of SQLite files is a URL.
            Some(url) => topology.database = Database::at(url.to_owned()),
        }
        Ok(topology)
    }
}

/// What everybody who may tell it something shares.
struct Up {
    name: String,
    installation: Mutex<Installation>,
    supervisor: Supervisor,
    keeper: Option<Keeper>,
}

impl Up {
    async fn promote(&self, now: bool, did: &Did) -> anyhow::Result<()> {
        let keeper = self.keeper.as_ref().context("the database is not run by this `natter up`")?;
        keeper.promote(now, did).await
    }

    /// Looks after the database, as long as this is awaited.
    async fn keep_database(&self) {
        match &self.keeper {
            Some(keeper) => keeper.keep().await,
            None => std::future::pending().await,
        }
    }

    async fn set_link(&self, host: &str, state: &str) -> anyhow::Result<()> {
        self.installation.lock().await.set_link(host, state)
    }

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
    let keeper = installation.keeper(&supervisor)?;
    let up = Arc::new(Up { name, installation: Mutex::new(installation), supervisor, keeper });

    let mut stop = Stop::new()?;
    let guests = TaskTracker::new();
    let ended = {
        let work = async {
            up.installation.lock().await.start(&up.supervisor, up.keeper.as_ref(), plan).await?;
            greet(&up, &data).await;
            reload_when_told(&up).await
        };
        tokio::select! {
            ended = work => ended,
            () = guests::receive(listener, &up, &guests) => Ok(()),
            () = up.keep_database() => Ok(()),
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
