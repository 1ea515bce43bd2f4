//! Which processes an installation consists of, as a file.
//!
//! A topology says which parts run in which processes, in how many copies, on which NATS servers and database. It says
//! nothing about a machine: `natter up` runs one here, and `natter deploy` writes it as what operators use.
//!
//! A part is a name here. Which parts exist only the programs know that run them.

mod check;
pub mod deploy;

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What an installation consists of.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// One line about it.
    pub about: String,
    /// Where ports begin on a machine.
    #[serde(default = "base_port")]
    pub base_port: u16,
    /// The broker.
    #[serde(default)]
    pub nats: Nats,
    /// Where the modules keep their tables.
    pub database: Database,
    /// Settings of every process, as in `natter.toml`.
    #[serde(default)]
    pub settings: toml::Table,
    /// The processes; they start in this order, and stop in the reverse one.
    #[serde(rename = "process")]
    pub processes: Vec<Process>,
}

/// The NATS servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// How many; three or more form a cluster that survives the loss of one.
    #[serde(default = "one")]
    pub servers: u16,
    /// Whether everything on the wire is encrypted, with certificates of an authority of the installation's own.
    #[serde(default)]
    pub tls: bool,
}

impl Default for Nats {
    fn default() -> Self {
        Self { servers: 1, tls: false }
    }
}

/// Where the modules keep their tables.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Database {
    /// Files in the data directory; for processes on one machine.
    Sqlite,
    /// A PostgreSQL server.
    Postgres {
        /// Where it is; without, `natter up` starts one, and `natter deploy` adds one.
        url: Option<String>,
        /// Whether `natter up` runs a second server, which follows the first and takes its place when that dies.
        #[serde(default)]
        standby: bool,
        /// Whether nothing is acked before the standby has it, too.
        #[serde(default = "yes")]
        synchronous: bool,
    },
}

impl Database {
    /// A PostgreSQL server of the installation's own, alone.
    pub const POSTGRES: Self = Self::Postgres { url: None, standby: false, synchronous: true };

    /// The PostgreSQL server at `url`, which somebody else looks after.
    #[must_use]
    pub const fn at(url: String) -> Self {
        Self::Postgres { url: Some(url), standby: false, synchronous: true }
    }
}

/// A process, in one or more copies.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its name in `natter ps`; its copies are `name.1`, `name.2`.
    pub name: String,
    /// The parts that it runs; all that the program has when empty.
    #[serde(default)]
    pub parts: Vec<String>,
    /// The program: `natter`, which runs any part, or a part's own small one.
    #[serde(default = "natter")]
    pub program: String,
    /// How many run.
    #[serde(default = "one")]
    pub copies: u16,
    /// Keys of the settings that take an address on which clients connect, such as `edge.tcp`: each copy gets one.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Settings of this process, as in `natter.toml`.
    #[serde(default)]
    pub settings: toml::Table,
    /// Secrets of the bus that it reads besides the credentials of its parts, such as `passport.key`.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The memory that an orchestrator grants to each copy, in MiB.
    #[serde(default = "memory_mib")]
    pub memory_mib: u32,
    /// How many copies an orchestrator may make of it when they are busy.
    pub scale_to: Option<u16>,
}

/// The program that runs any part.
pub const NATTER: &str = "natter";

const fn base_port() -> u16 {
    7667
}

const fn yes() -> bool {
    true
}

const fn one() -> u16 {
    1
}

const fn memory_mib() -> u32 {
    256
}

fn natter() -> String {
    NATTER.to_owned()
}

/// The topologies that come with Natter: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("standalone", include_str!("../../topologies/standalone.toml")),
    ("cluster", include_str!("../../topologies/cluster.toml")),
    ("distributed", include_str!("../../topologies/distributed.toml")),
];

impl Topology {
    /// Reads the topology called `named`, or else the file at that path.
    ///
    /// # Errors
    /// When there is none, or it doesn't make sense; the error names what.
    pub fn load(named: &str) -> anyhow::Result<Self> {
        if let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == named) {
            return Self::parse(text).with_context(|| format!("topology {named}"));
        }
        if !Path::new(named).is_file() {
            let names: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
            bail!("there is no topology {named}: expected {}, or a file", names.join(", "));
        }
        let text = std::fs::read_to_string(named).with_context(|| format!("read {named}"))?;
        Self::parse(&text).with_context(|| format!("topology {named}"))
    }

    /// Reads a topology from the text of its file.
    ///
    /// # Errors
    /// As [`Topology::load`].
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let topology: Self = toml::from_str(text)?;
        topology.check()?;
        Ok(topology)
    }

    /// What a copy of `process` is configured with: what all processes are, with its own settings over it.
    #[must_use]
    pub fn settings_of(&self, process: &Process) -> toml::Table {
        let mut settings = self.settings.clone();
        for (section, keys) in &process.settings {
            match (settings.get_mut(section), keys) {
                (Some(toml::Value::Table(below)), toml::Value::Table(keys)) => {
                    below.extend(keys.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                _ => {
                    settings.insert(section.clone(), keys.clone());
                }
            }
        }
        settings
    }
}

impl Process {
    /// The names of its copies.
    pub fn copy_names(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.copies).map(|number| format!("{}.{number}", self.name))
    }

    /// What its command line begins with, after the program.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.program == NATTER {
            arguments.push("serve".to_owned());
            if !self.parts.is_empty() {
                arguments.extend(["--only".to_owned(), self.parts.join(",")]);
            }
        }
        arguments
    }
}

/// Sets `section.key` in a table of settings.
pub fn set(settings: &mut toml::Table, key: &str, value: impl Into<toml::Value>) {
    let (section, key) = key.split_once('.').unwrap_or(("", key));
    let section = settings.entry(section).or_insert_with(|| toml::Table::new().into());
    if let toml::Value::Table(section) = section {
        section.insert(key.to_owned(), value.into());
    }
}
