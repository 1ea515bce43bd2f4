//! `natter serve`: any set of parts in one process, and, unless told where one is, a NATS server as a child.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use natter_host::{
    BusSettings, DatabaseSettings, Part, PlatformSettings, Process, Running, Settings, TelemetrySettings,
    print_config, toml_of,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Modules before the edge: whoever can connect finds everything there. They stop the other way round.
pub(crate) const PARTS: [&str; 6] = [
    natter_message::Message::NAME,
    natter_friend::Friend::NAME,
    natter_group::Group::NAME,
    natter_user::User::NAME,
    natter_admin::Admin::NAME,
    natter_edge::Edge::NAME,
];

/// What to run, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    common: natter_host::Arguments,
    /// Run only these parts: user, friend, group, message, admin, edge
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = PARTS)]
    only: Vec<String>,
    /// Keep everything in this directory
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The port on loopback for the NATS server that is started when bus.url is not set; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 7666)]
    bus_port: u16,
}

impl ServeArguments {
    fn runs(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let settings = Settings::load(&arguments.common)?
        .with_default("bus.directory", arguments.data.join("bus"))
        .with_default("bus.url", "")
        .with_default("database.url", format!("sqlite:{}", arguments.data.display()))
        // One process for all of it has one door. Who runs an edge by itself says which kind of door it is.
        .with_default("edge.admin", arguments.only.is_empty())
        .with_default("telemetry.listen", if arguments.only.is_empty() { "127.0.0.1:7669" } else { "" });
    // All of them, before anything starts: what is misspelt in one is refused while nothing has happened yet.
    let sections = sections(&settings)?;
    if arguments.common.print_config {
        return print_config(&sections);
    }
    let telemetry: TelemetrySettings = settings.section("telemetry")?;
    natter_host::init_telemetry(&telemetry)?;

    let (settings, server) = bus(settings, &arguments.data, arguments.bus_port).await?;
    let process = Process::start(settings, VERSION).await?;
    let mut running = Vec::new();
    for part in PARTS.into_iter().filter(|part| arguments.runs(part)) {
        running.push(start(&process, part).await?);
    }
    process.set_ready(true);
    greet(&process, &arguments, &telemetry)?;

    Process::stop_requested().await?;
    tracing::info!("stopping; once more to stop at once");
    process.set_ready(false);
    while let Some(part) = running.pop() {
        part.stop().await;
    }
    if let Some(server) = server {
        server.shutdown().await;
    }
    Ok(())
}

async fn start(process: &Process, part: &str) -> anyhow::Result<Running> {
    match part {
        natter_message::Message::NAME => process.run::<natter_message::Message>().await,
        natter_friend::Friend::NAME => process.run::<natter_friend::Friend>().await,
        natter_group::Group::NAME => process.run::<natter_group::Group>().await,
        natter_user::User::NAME => process.run::<natter_user::User>().await,
        natter_admin::Admin::NAME => process.run::<natter_admin::Admin>().await,
        natter_edge::Edge::NAME => process.run::<natter_edge::Edge>().await,
        other => bail!("there is no part {other}"),
    }
}

/// Starts a NATS server of our own, unless the settings say where one is.
async fn bus(
    settings: Settings,
    data: &Path,
    port: u16,
) -> anyhow::Result<(Settings, Option<natter_nats::Server>)> {
    let chosen: BusSettings = settings.section("bus")?;
    if !chosen.url.is_empty() {
        return Ok((settings, None));
    }
    private_directory(data).with_context(|| format!("make {}", data.display()))?;
    let options = natter_nats::Options { port, ..natter_nats::Options::default() };
    let bus = natter_nats::Bus::create_or_open(&chosen.directory, &options).context("prepare the bus")?;
    let server = natter_nats::Server::start(&bus, None).await.context("start the NATS server")?;
    let settings = settings.with("bus.url", server.client_url());
    Ok((settings, Some(server)))
}

/// Messages, password hashes and keys are nobody else's to read.
fn private_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Every section as it is in force.
fn sections(settings: &Settings) -> anyhow::Result<[(&'static str, toml::Value); 10]> {
    Ok([
        ("bus", toml_of::<BusSettings>(settings, "bus")?),
        ("database", toml_of::<DatabaseSettings>(settings, "database")?),
        ("telemetry", toml_of::<TelemetrySettings>(settings, "telemetry")?),
        ("platform", toml_of::<PlatformSettings>(settings, "platform")?),
        ("user", toml_of::<natter_user::Settings>(settings, "user")?),
        ("friend", toml_of::<natter_friend::Settings>(settings, "friend")?),
        ("group", toml_of::<natter_group::Settings>(settings, "group")?),
        ("message", toml_of::<natter_message::Settings>(settings, "message")?),
        ("admin", toml_of::<natter_admin::Settings>(settings, "admin")?),
        ("edge", toml_of::<natter_edge::Settings>(settings, "edge")?),
    ])
}

/// Says where everything is, and the one line to type next.
#[allow(clippy::print_stdout)]
fn greet(process: &Process, arguments: &ServeArguments, telemetry: &TelemetrySettings) -> anyhow::Result<()> {
    let bus: BusSettings = process.settings().section("bus")?;
    let program = std::env::args().next().unwrap_or_else(|| "natter".into());
    println!("\nNatter {VERSION} is up.");
    if arguments.runs(natter_edge::Edge::NAME) {
        let edge: natter_edge::Settings = process.settings().section(natter_edge::Edge::NAME)?;
        println!("  clients  tcp://{}   ws://{}/ws", edge.tcp, edge.http);
    }
    if !telemetry.listen.is_empty() {
        println!("  health   http://{0}/readyz   http://{0}/metrics", telemetry.listen);
    }
    println!("  bus      {}   (for the NATS CLI: . {}/operator.env)", bus.url, bus.directory.display());
    println!("  stop     Ctrl-C");
    if arguments.runs(natter_edge::Edge::NAME) {
        println!("\nNext, in another terminal:\n  {program} chat\n");
    }
    Ok(())
}
