//! From a topology to what operators use: pure functions, which return files.
//!
//! The secrets of the bus are not among them; `natter deploy` makes those beside them.

mod compose;
mod kubernetes;
mod systemd;

pub use compose::compose;
pub use kubernetes::kubernetes;
pub use systemd::systemd;

use serde_json::Value;

use crate::{Database, Process, Topology, set};

/// What the files depend on besides the topology.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// All parts that `natter` runs where a process doesn't say which.
    pub all_parts: &'a [&'a str],
    /// The password of the database that is deployed with it.
    pub password: &'a str,
    /// The image that has the programs.
    pub image: &'a str,
    /// The directory of the programs, for systemd.
    pub programs: &'a str,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where, below the output directory.
    pub path: String,
    /// What.
    pub text: String,
    /// Whether nobody else may read it.
    pub secret: bool,
}

impl File {
    fn open(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), secret: false }
    }

    fn secret(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), secret: true }
    }
}

/// A NATS server to deploy; `natter deploy` writes its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsServer {
    /// Its name, also that of its directory.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Under which names others reach it, the first of them in URLs.
    pub hosts: Vec<String>,
    /// Where clients connect.
    pub port: u16,
    /// Where other servers connect.
    pub route_port: u16,
    /// Its monitoring pages, on loopback.
    pub monitoring_port: u16,
}

/// What a kind of deployment has in common over all processes.
struct Place {
    bus_directory: String,
    bus_url: String,
    database_url: String,
    /// Where `/readyz` answers.
    telemetry: String,
}

const CLIENTS: u16 = 4222;
const ROUTES: u16 = 6222;
const MONITORING: u16 = 8222;
/// Where `/readyz` answers in a container.
const HEALTH: u16 = 7669;
/// Official images: of the line that the tests run, and of a later one than theirs (15).
const NATS_IMAGE: &str = "nats:2.15-alpine";
const POSTGRES_IMAGE: &str = "postgres:17-alpine";

impl Topology {
    fn bus_url(&self, servers: &[NatsServer]) -> String {
        let scheme = if self.nats.tls { "tls" } else { "nats" };
        let url = |server: &NatsServer| format!("{scheme}://{}:{}", server.hosts[0], server.port);
        servers.iter().map(url).collect::<Vec<_>>().join(",")
    }

    /// The URL of the database: the given one, or that of the server which is deployed at `host`.
    fn database_url(&self, host: &str, password: &str, sqlite: &str) -> String {
        match &self.database {
            Database::Sqlite => format!("sqlite:{sqlite}"),
            Database::Postgres { url: Some(url), .. } => url.clone(),
            Database::Postgres { url: None, .. } => format!("postgres://natter:{password}@{host}/natter"),
        }
    }

    /// Whether a PostgreSQL server belongs to it.
    #[must_use]
    pub fn has_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres { url: None, .. })
    }

    fn settings_at(&self, process: &Process, place: &Place) -> toml::Table {
        let mut settings = self.settings_of(process);
        set(&mut settings, "bus.url", place.bus_url.clone());
        set(&mut settings, "bus.directory", place.bus_directory.clone());
        if self.nats.tls {
            set(&mut settings, "bus.ca", format!("{}/ca.crt", place.bus_directory));
        }
        set(&mut settings, "database.url", place.database_url.clone());
        set(&mut settings, "telemetry.listen", place.telemetry.clone());
        settings
    }
}

impl Process {
    /// The files of the bus that it needs, and no more.
    fn bus_files(&self, topology: &Topology, around: &Surroundings<'_>) -> Vec<String> {
        let parts = self.parts.iter().map(String::as_str);
        let all = if self.parts.is_empty() { around.all_parts } else { &[] };
        let mut files: Vec<_> = parts.chain(all.iter().copied()).map(|part| format!("{part}.nk")).collect();
        files.push("passport.pub".to_owned());
        files.extend(self.secrets.iter().cloned());
        if topology.nats.tls {
            files.push("ca.crt".to_owned());
        }
        files
    }

    /// Its command line, with the file of its settings.
    fn command_line(&self, settings: &str) -> Vec<String> {
        let mut line = vec![self.program.clone()];
        line.extend(self.command());
        line.extend(["--config".to_owned(), settings.to_owned()]);
        line
    }

    /// The port of each of its addresses in a container, from the topology's base on.
    fn container_ports(&self, topology: &Topology) -> Vec<(String, u16)> {
        (topology.base_port..).zip(&self.ports).map(|(port, key)| (key.clone(), port)).collect()
    }
}

/// Such as `tcp` of `edge.tcp`.
fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn servers(
    topology: &Topology,
    from: u16,
    address: &str,
    hosts: impl Fn(&str) -> Vec<String>,
) -> Vec<NatsServer> {
    let server = |number: u16| {
        let name = format!("nats-{number}");
        let hosts = hosts(&name);
        let address = address.to_owned();
        NatsServer { name, address, hosts, port: CLIENTS, route_port: ROUTES, monitoring_port: MONITORING }
    };
    (from..from + topology.nats.servers).map(server).collect()
}

fn yaml(value: &Value) -> anyhow::Result<String> {
    Ok(serde_norway::to_string(value)?)
}

const HEADER: &str = "# Written by `natter deploy` from a topology: change that, and write this anew.\n";
