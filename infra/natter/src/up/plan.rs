//! From a topology to what runs on this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use natter_nats::Member;
use natter_topology::{Process, Topology, set};
use rustix::process::Signal;

use super::data::Data;
use super::hosts::{Hosts, SUBNET};
use super::ports::Ports;
use super::recipe::{Ready, Recipe};

const LOOPBACK: &str = "127.0.0.1";
/// What the NATS servers are called in `natter ps`.
pub(super) const NATS: &str = "nats";

/// What stays the same when a topology is read again.
#[derive(Debug)]
pub(super) struct Planner {
    /// Where programs of ours are, besides PATH.
    programs: PathBuf,
    nats_server: PathBuf,
    ports: Ports,
    /// `section.key=value` from the command line, over what the topology says.
    settings: Vec<String>,
    /// Whether processes of ours that don't answer any more are left alone.
    keep_hung: bool,
    /// Where each copy runs, unless all run on this machine.
    hosts: Option<Hosts>,
}

/// The servers that the processes stand on.
#[derive(Debug)]
pub(super) struct Bus {
    pub(super) recipes: Vec<Recipe>,
    pub(super) url: String,
    ca: Option<PathBuf>,
}

impl Planner {
    pub(super) async fn new(base_port: u16, settings: Vec<String>) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("find this program")?;
        let programs = this.parent().context("a program has a directory")?.to_owned();
        let nats_server = natter_nats::find(None).await?;
        Ok(Self {
            programs,
            nats_server,
            ports: Ports::from(base_port),
            settings,
            keep_hung: false,
            hosts: None,
        })
    }

    /// From now on, a process of ours that doesn't answer any more is left alone.
    pub(super) const fn keep_hung(&mut self) {
        self.keep_hung = true;
    }

    /// Gives every copy its ports, those of clients first: they are the ones that people remember.
    pub(super) fn reserve_ports(&mut self, topology: &Topology) -> anyhow::Result<()> {
        for process in &topology.processes {
            for copy in process.copy_names() {
                for key in &process.ports {
                    self.ports.of(format!("{copy} {key}"))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn postgres_port(&mut self, server: &str) -> anyhow::Result<u16> {
        self.ports.of(server)
    }

    /// Where a copy listens, as the other copies see it.
    pub(super) fn address_of(&mut self, copy: &str) -> anyhow::Result<String> {
        self.hosts.as_mut().map_or_else(|| Ok(LOOPBACK.to_owned()), |hosts| hosts.address_of(copy))
    }

    /// From now on each copy is on a host of its own.
    pub(super) fn put_on_hosts(&mut self, data: &Data) -> anyhow::Result<()> {
        self.hosts = Some(Hosts::prepare(data)?);
        Ok(())
    }

    pub(super) fn set_link(&self, host: &str, state: &str) -> anyhow::Result<()> {
        self.hosts
            .as_ref()
            .context("there are no hosts: `natter up --hosts` makes them")?
            .set_link(host, state)
    }

    /// What runs a copy where it belongs.
    pub(super) fn settle(&mut self, recipe: Recipe) -> anyhow::Result<Recipe> {
        let Some(hosts) = &mut self.hosts else { return Ok(recipe) };
        for port in recipe.ports() {
            hosts.open_door(&recipe.name, port)?;
        }
        let enter = hosts.enter(&recipe.name)?;
        Ok(recipe.within(&enter))
    }

    /// What the command line of a copy begins with.
    pub(super) fn enter(&mut self, copy: &str, port: u16) -> anyhow::Result<Vec<OsString>> {
        let Some(hosts) = &mut self.hosts else { return Ok(Vec::new()) };
        hosts.open_door(copy, port)?;
        hosts.enter(copy)
    }

    /// The network of the hosts, where there are any.
    pub(super) fn subnet(&self) -> Option<&'static str> {
        self.hosts.as_ref().map(|_| SUBNET)
    }

    /// Writes the configurations of the NATS servers.
    pub(super) fn nats(&mut self, topology: &Topology, data: &Data) -> anyhow::Result<Bus> {
        let bus = natter_nats::Bus::open_secrets(&data.bus()).context("prepare the bus")?;
        let names: Vec<_> = (1..=topology.nats.servers).map(|number| format!("{NATS}.{number}")).collect();
        let (mut members, mut addresses) = (Vec::new(), Vec::new());
        for name in &names {
            let address = self.address_of(name)?;
            let mut hosts = vec![LOOPBACK.to_owned(), "localhost".to_owned()];
            hosts.extend((address != LOOPBACK).then(|| address.clone()));
            members.push(Member {
                name: name.clone(),
                // Other hosts reach it, and this machine through its loopback.
                address: if address == LOOPBACK { LOOPBACK } else { "0.0.0.0" }.to_owned(),
                port: self.ports.of(format!("{name} clients"))?,
                monitoring_port: self.ports.of(format!("{name} monitoring"))?,
                route_port: self.ports.of(format!("{name} routes"))?,
                routes: Vec::new(),
                // It logs to standard error, like the others.
                seen_at: Some(data.bus()),
                encrypted_as: topology.nats.tls.then_some(hosts),
            });
            addresses.push(address);
        }
        let route = |(member, address): (&Member, &String)| format!("{address}:{}", member.route_port);
        let routes: Vec<_> = members.iter().zip(&addresses).map(route).collect();
        // Each connects to those before it, which are there by then: a server that is not there yet would be an error in the
        // log of every start. The first one names itself, which it passes over, so as to be one of a cluster.
        if routes.len() > 1 {
            for (at, member) in members.iter_mut().enumerate() {
                member.routes = routes[..at.max(1)].to_vec();
            }
        }
        let scheme = if topology.nats.tls { "tls" } else { "nats" };
        let url = |member: &Member, address: &str| format!("{scheme}://{address}:{}", member.port);
        let (mut recipes, mut urls, mut urls_here) = (Vec::new(), Vec::new(), Vec::new());
        for (member, address) in members.iter().zip(&addresses) {
            urls.push(url(member, address));
            let here = url(member, LOOPBACK);
            let recipe = self.nats_recipe(member, &bus.configure(member)?, &here);
            recipes.push(self.settle(recipe)?);
            urls_here.push(here);
        }
        bus.write_environments(&urls_here.join(","))?;
        Ok(Bus { recipes, url: urls.join(","), ca: topology.nats.tls.then(|| bus.authority_path()) })
    }

    fn nats_recipe(&self, member: &Member, configuration: &Path, url: &str) -> Recipe {
        let monitoring = format!("{LOOPBACK}:{}", member.monitoring_port);
        Recipe {
            name: member.name.clone(),
            process: NATS.to_owned(),
            parts: Vec::new(),
            program: self.nats_server.clone(),
            binary: self.nats_server.clone(),
            arguments: vec!["-c".into(), configuration.into()],
            configuration: None,
            ready: Ready::Http { address: monitoring.clone(), path: "/healthz" },
            stop_signal: Signal::TERM,
            comes_back: true,
            is_watched: false,
            addresses: BTreeMap::from([
                ("clients".to_owned(), url.to_owned()),
                ("monitoring".to_owned(), monitoring),
            ]),
        }
    }

    /// What runs every copy of the topology's processes.
    pub(super) fn processes(
        &mut self,
        topology: &Topology,
        data: &Data,
        bus: &Bus,
        database: &str,
    ) -> anyhow::Result<Vec<Recipe>> {
        let mut recipes = Vec::new();
        for process in &topology.processes {
            for copy in process.copy_names() {
                let settings = self.settings(topology, process, data, bus, database)?;
                let recipe = self.recipe(process, copy, settings, data)?;
                recipes.push(self.settle(recipe)?);
            }
        }
        Ok(recipes)
    }

    /// What runs a copy of `part` that gets only the share of the calls which goes to a canary; of another `program`, when
    /// one is given.
    pub(super) fn canary(
        &mut self,
        topology: &Topology,
        data: &Data,
        bus: &Bus,
        database: &str,
        (part, program): (&str, Option<&Path>),
    ) -> anyhow::Result<Recipe> {
        let runs_it =
            |process: &&Process| process.parts.is_empty() || process.parts.iter().any(|own| own == part);
        let found = topology.processes.iter().find(runs_it);
        let mut process = found.with_context(|| format!("no process runs {part}"))?.clone();
        // Nobody connects to it, and nothing else runs in it.
        process.ports.clear();
        process.parts = vec![part.to_owned()];
        let mut settings = self.settings(topology, &process, data, bus, database)?;
        set(&mut settings, "bus.canary", true);
        let mut recipe = self.recipe(&process, format!("{part}.canary"), settings, data)?;
        if let Some(program) = program {
            recipe.program = program.to_owned();
            recipe.binary = program.to_owned();
        }
        self.settle(recipe)
    }

    fn recipe(
        &mut self,
        process: &Process,
        copy: String,
        mut settings: toml::Table,
        data: &Data,
    ) -> anyhow::Result<Recipe> {
        let addresses = self.addresses(process, &copy)?;
        for (key, address) in &addresses {
            set(&mut settings, key, address.clone());
            // A copy and its successor listen side by side for a moment.
            if let Some((section, _)) = key.split_once('.') {
                set(&mut settings, &format!("{section}.share_ports"), true);
            }
        }
        let program = self.find(&process.program)?;
        let file = data.settings_of(&copy);
        let mut arguments: Vec<OsString> = process.command().into_iter().map(Into::into).collect();
        arguments.extend(["--config".into(), file.clone().into()]);
        let health = |of: &str| format!("{copy} health{of}");
        let ports = [self.ports.of(health(""))?, self.ports.of(health(" of its successor"))?];
        Ok(Recipe {
            process: process.name.clone(),
            parts: process.parts.clone(),
            binary: program.clone(),
            program,
            arguments,
            configuration: Some((file, toml::to_string(&settings)?)),
            ready: Ready::Ours { address: LOOPBACK.to_owned(), ports },
            stop_signal: Signal::TERM,
            comes_back: true,
            is_watched: !self.keep_hung,
            addresses,
            name: copy,
        })
    }

    fn addresses(&mut self, process: &Process, copy: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let address = |key: &String| {
            Ok((key.clone(), format!("{LOOPBACK}:{}", self.ports.of(format!("{copy} {key}"))?)))
        };
        process.ports.iter().map(address).collect()
    }

    fn settings(
        &self,
        topology: &Topology,
        process: &Process,
        data: &Data,
        bus: &Bus,
        database: &str,
    ) -> anyhow::Result<toml::Table> {
        let mut settings = topology.settings_of(process);
        set(&mut settings, "bus.url", bus.url.clone());
        set(&mut settings, "bus.directory", data.bus().to_string_lossy().into_owned());
        if let Some(ca) = &bus.ca {
            set(&mut settings, "bus.ca", ca.to_string_lossy().into_owned());
        }
        set(&mut settings, "database.url", database);
        for pair in &self.settings {
            let (key, value) =
                pair.split_once('=').with_context(|| format!("--set {pair}: expected SECTION.KEY=VALUE"))?;
            if !key.contains('.') {
                bail!("--set {pair}: expected SECTION.KEY=VALUE");
            }
            set(&mut settings, key, parsed(value));
        }
        Ok(settings)
    }

    /// A program is beside this one, or on PATH.
    fn find(&self, program: &str) -> anyhow::Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = [self.programs.clone()].into_iter().chain(std::env::split_paths(&path));
        places
            .map(|place| place.join(program))
            .find(|program| program.is_file())
            .with_context(|| format!("there is no program {program} beside this one, or on PATH"))
    }
}

/// A value as a person writes it: a number, a boolean, a list, otherwise text.
fn parsed(value: &str) -> toml::Value {
    let table: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
    let value_of = |mut table: toml::Table| table.remove("value");
    table.ok().and_then(value_of).unwrap_or_else(|| value.into())
}
