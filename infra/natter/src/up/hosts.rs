//! Hosts: each copy in a network namespace of its own, so that it can be cut off.
//!
//! A bridge joins them, in one more namespace. No namespace has a name: each lasts as long as a process in it, and those end
//! with `natter up`, however that ends. Nothing of the machine's own network changes, and nothing is left to be removed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::getuid;

use super::data::Data;
use super::relay::Doors;

/// The network of the hosts. It is in namespaces of its own, so that any number of installations can have the same.
pub(super) const SUBNET: &str = "10.77.0.0/24";
const HOSTS_MAX: usize = 250;
const READY_WITHIN: Duration = Duration::from_secs(10);

/// All hosts of an installation.
#[derive(Debug)]
pub(super) struct Hosts {
    run: PathBuf,
    hub: Held,
    each: BTreeMap<String, Host>,
    doors: Doors,
}

#[derive(Debug)]
struct Host {
    number: usize,
    namespace: Held,
    socket: PathBuf,
}

impl Host {
    fn address(&self) -> String {
        format!("10.77.0.{}", self.number + 1)
    }

    /// Its end of the wire, on the bridge.
    fn port(&self) -> String {
        format!("host{}", self.number)
    }
}

impl Hosts {
    /// The bridge, with no host yet.
    pub(super) fn prepare(data: &Data) -> anyhow::Result<Self> {
        ensure!(getuid().is_root(), "--hosts makes network namespaces, which only root may");
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in ["ip", "unshare", "nsenter"] {
            let is_there = std::env::split_paths(&path).any(|place| place.join(program).is_file());
            ensure!(is_there, "--hosts needs the program {program} (of iproute2 and util-linux)");
        }
        let hub = Held::by(Command::new("sleep").arg("infinity")).context("make a network namespace")?;
        hub.run("ip link add bridge0 type bridge; ip link set bridge0 up").context("make a bridge")?;
        let run = data.path().join("run");
        Ok(Self { run, hub, each: BTreeMap::new(), doors: Doors::default() })
    }

    /// The host of a copy, made when it is asked for first.
    fn of(&mut self, copy: &str) -> anyhow::Result<&Host> {
        if !self.each.contains_key(copy) {
            let host = self.make(copy).with_context(|| format!("make a host for {copy}"))?;
            self.each.insert(copy.to_owned(), host);
        }
        self.each.get(copy).context("it was just made")
    }

    fn make(&self, copy: &str) -> anyhow::Result<Host> {
        let number = self.each.len() + 1;
        ensure!(number <= HOSTS_MAX, "{HOSTS_MAX} hosts at most");
        let socket = self.run.join(format!("{copy}.sock"));
        // One that an earlier `natter up` left behind.
        let _ = std::fs::remove_file(&socket);
        // The program that runs now, also after another has taken its place on disk.
        let this = format!("/proc/{}/exe", std::process::id());
        let namespace = Held::by(Command::new(this).arg("relay").arg(&socket))?;
        let deadline = Instant::now() + READY_WITHIN;
        while !socket.exists() {
            ensure!(Instant::now() < deadline, "its relay doesn't start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let host = Host { number, namespace, socket };
        let (port, address, pid) = (host.port(), host.address(), host.namespace.pid());
        self.hub.run(&format!(
            "ip link add {port} type veth peer name eth0 netns {pid}; ip link set {port} master bridge0 up"
        ))?;
        host.namespace
            .run(&format!("ip addr add {address}/24 dev eth0; ip link set eth0 up; ip link set lo up"))?;
        Ok(host)
    }

    /// Where other hosts find the copy.
    pub(super) fn address_of(&mut self, copy: &str) -> anyhow::Result<String> {
        Ok(self.of(copy)?.address())
    }

    /// What the command line of the copy begins with.
    pub(super) fn enter(&mut self, copy: &str) -> anyhow::Result<Vec<OsString>> {
        Ok(vec!["nsenter".into(), self.of(copy)?.namespace.option().into(), "--".into()])
    }

    /// Lets this machine reach a port at which the copy listens on its own loopback.
    pub(super) fn open_door(&mut self, copy: &str, port: u16) -> anyhow::Result<()> {
        let socket = self.of(copy)?.socket.clone();
        self.doors.open(port, &socket)
    }

    /// Takes the host of a copy off the network, or puts it back.
    pub(super) fn set_link(&self, copy: &str, state: &str) -> anyhow::Result<()> {
        let names = || self.each.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let host = self
            .each
            .get(copy)
            .with_context(|| format!("there is no host {copy}; there are: {}", names()))?;
        self.hub.run(&format!("ip link set {} {state}", host.port()))
    }
}

/// A process, on the leash, that keeps a network namespace alive. Dropped, both are gone.
#[derive(Debug)]
struct Held {
    process: Child,
}

impl Held {
    /// `program` in a new network namespace.
    fn by(program: &Command) -> anyhow::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("leash").arg(std::process::id().to_string()).args(["--", "unshare", "--net"]);
        command.arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let held = Self { process: command.spawn()? };
        let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net"));
        let deadline = Instant::now() + READY_WITHIN;
        while network(&held.pid().to_string())? == network("self")? {
            ensure!(Instant::now() < deadline, "no namespace after {READY_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(held)
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    fn option(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.pid())
    }

    fn run(&self, script: &str) -> anyhow::Result<()> {
        let output = Command::new("nsenter").arg(self.option()).args(["sh", "-euc", script]).output()?;
        if !output.status.success() {
            bail!("{script}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
