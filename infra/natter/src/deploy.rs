//! `natter deploy`: a topology as what operators use, with the secrets of its bus.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use natter_nats::{Bus, Member};
use natter_topology::Topology;
use natter_topology::deploy::{File, NatsServer, Surroundings, compose, kubernetes, systemd};

use crate::serve::PARTS;
use crate::up::write_private;

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct DeployArguments {
    /// For what
    kind: Kind,
    /// standalone, cluster, distributed, or the path of a file
    topology: String,
    /// Write into this directory; secrets that are there stay
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The image with the programs, for containers
    #[arg(long, value_name = "IMAGE", default_value = concat!("natter:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// Where the programs are, for systemd
    #[arg(long, value_name = "DIR", default_value = "/usr/local/bin")]
    programs: String,
}

/// What operators use.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A compose file
    Compose,
    /// Unit files
    Systemd,
    /// Manifests, for `kubectl apply -k`
    Kubernetes,
}

impl Kind {
    /// Where the servers see the bus's directory.
    const fn bus(self) -> &'static str {
        match self {
            Self::Compose | Self::Kubernetes => "/etc/nats/bus",
            Self::Systemd => "/etc/natter/bus",
        }
    }
}

#[allow(clippy::print_stdout)]
pub(crate) fn run(arguments: &DeployArguments) -> anyhow::Result<()> {
    let topology = Topology::load(&arguments.topology)?;
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    // Without a server of its own there is nothing to keep.
    let password = if topology.has_postgres() { password(out)? } else { String::new() };
    let around = Surroundings {
        all_parts: &PARTS,
        password: &password,
        image: &arguments.image,
        programs: &arguments.programs,
    };
    let (files, servers) = match arguments.kind {
        Kind::Compose => compose(&topology, &around),
        Kind::Systemd => systemd(&topology, &around),
        Kind::Kubernetes => kubernetes(&topology, &around),
    }?;
    for file in &files {
        write(out, file)?;
        println!("{}", out.join(&file.path).display());
    }
    bus(&topology, &out.join("bus"), arguments.kind, &servers)?;
    println!("{}: credentials and configurations of the bus; keep them secret", out.join("bus").display());
    Ok(())
}

fn write(out: &Path, file: &File) -> anyhow::Result<()> {
    let path = out.join(&file.path);
    if file.secret {
        return write_private(&path, &file.text);
    }
    let directory = path.parent().context("a file has a directory")?;
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, &file.text))
        .with_context(|| format!("write {}", path.display()))
}

/// The password of the database, made once.
fn password(out: &Path) -> anyhow::Result<String> {
    let path = out.join("postgres.password");
    if !path.exists() {
        write_private(&path, &format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))?;
    }
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

fn bus(topology: &Topology, directory: &Path, kind: Kind, servers: &[NatsServer]) -> anyhow::Result<()> {
    let bus = Bus::open_secrets(directory).context("make the secrets of the bus")?;
    for server in servers {
        let others = servers.iter().filter(|other| *other != server);
        let mut names = server.hosts.clone();
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        bus.configure(&Member {
            name: server.name.clone(),
            address: server.address.clone(),
            port: server.port,
            monitoring_port: server.monitoring_port,
            route_port: server.route_port,
            routes: others.map(|other| format!("{}:{}", other.hosts[0], other.route_port)).collect(),
            seen_at: Some(kind.bus().into()),
            encrypted_as: topology.nats.tls.then_some(names),
        })?;
    }
    Ok(())
}
