//! What the rows need of the machine: namespaces, a small disk, a database server of one's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use natter_host::testing::free_port;
use tempfile::TempDir;

use super::Skip;

/// Runs a command; what it wrote to standard output.
pub(super) fn sh(script: &str) -> Result<String, String> {
    let output = Command::new("bash").args(["-euc", script]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{}: {}", script.trim(), String::from_utf8_lossy(&output.stderr).trim()))
}

pub(super) fn need(script: &str) -> Result<String, Skip> {
    sh(script).map_err(|error| Skip(format!("not on this machine: {error}")))
}

/// A network namespace with a link to ours; gone when dropped.
///
/// From within, `outside` is this machine's loopback; from here, `inside` is the namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    pub(super) name: String,
    link: String,
    subnet: u32,
}

impl Namespace {
    pub(super) fn new() -> Result<Self, Skip> {
        need("command -v ip nft sysctl")?;
        // Two runs at a time don't meet, and tests/tools/faults.sh finds what a run that was killed left.
        let process = std::process::id();
        let subnet = process % 200 + 20;
        let (name, link) = (format!("natter{process}"), format!("nat{process}"));
        let namespace = Self { name, link, subnet };
        let Self { name, link, .. } = &namespace;
        need(&format!(
            "ip netns add {name}
             ip link add {link} type veth peer name {link}p
             ip link set {link}p netns {name}
             ip addr add 10.213.{subnet}.1/24 dev {link}
             ip link set {link} up
             ip netns exec {name} ip addr add 10.213.{subnet}.2/24 dev {link}p
             ip netns exec {name} ip link set {link}p up
             ip netns exec {name} ip link set lo up
             sysctl -qw net.ipv4.conf.{link}.route_localnet=1
             nft add table ip {name}
             nft add chain ip {name} in '{{ type nat hook prerouting priority -100; }}'
             nft add rule ip {name} in iifname {link} ip daddr 10.213.{subnet}.1 dnat to 127.0.0.1
             nft add chain ip {name} source '{{ type nat hook input priority 100; }}'
             nft add rule ip {name} source iifname {link} snat to 127.0.0.1
             ip netns exec {name} nft add table ip faults"
        ))?;
        Ok(namespace)
    }

    /// This machine's loopback, from within.
    pub(super) fn outside(&self) -> String {
        format!("10.213.{}.1", self.subnet)
    }

    /// Takes the link away, without a word to anybody.
    pub(super) fn cut(&self) -> Result<(), Skip> {
        need(&format!("ip netns exec {} ip link set {}p down", self.name, self.link)).map(drop)
    }

    /// Drops packets in one direction or both: what comes `in` to the namespace, what goes `out` of it.
    pub(super) fn drop_packets(&self, directions: &[&str]) -> Result<(), Skip> {
        for direction in directions {
            let hook = if *direction == "in" { "input" } else { "output" };
            need(&format!(
                "ip netns exec {0} nft add chain ip faults {direction} '{{ type filter hook {hook} priority 0; policy drop; }}'",
                self.name
            ))?;
        }
        Ok(())
    }

    /// Ends what [`Namespace::drop_packets`] began.
    pub(super) fn heal(&self) -> Result<(), Skip> {
        let script = "nft delete table ip faults; nft add table ip faults";
        need(&format!("ip netns exec {} bash -c '{script}'", self.name)).map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let Self { name, link, .. } = self;
        let _ = sh(&format!("ip netns del {name}; ip link del {link}; nft delete table ip {name}"));
        let _ = sh(&format!("ip link del {link}"));
        let _ = sh(&format!("nft delete table ip {name}"));
    }
}

/// A bound on memory; gone when dropped. The processes in it have to end before.
#[derive(Debug)]
pub(super) struct Cgroup {
    pub(super) path: String,
}

impl Cgroup {
    pub(super) fn new(mebibytes: u32) -> Result<Self, Skip> {
        let path = format!("/sys/fs/cgroup/memory/natter{}", std::process::id());
        need(&format!("mkdir {path}; echo {mebibytes}M > {path}/memory.limit_in_bytes"))?;
        Ok(Self { path })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = sh(&format!("rmdir {}", self.path));
    }
}

/// A disk of a few megabytes; gone when dropped.
#[derive(Debug)]
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    pub(super) fn new(mebibytes: u32) -> Result<Self, Skip> {
        let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
        need(&format!("mount -t tmpfs -o size={mebibytes}m tmpfs {}", folder.path().display()))?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte.
    pub(super) fn fill(&self) {
        // It says that there is no space left, as it should.
        let _ = sh(&format!("cat /dev/zero > {}/ballast", self.path().display()));
    }

    pub(super) fn grow(&self, mebibytes: u32) -> Result<(), Skip> {
        need(&format!("mount -o remount,size={mebibytes}m {}", self.path().display())).map(drop)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = sh(&format!("umount -l {}", self.path().display()));
    }
}

/// A PostgreSQL server of one's own; gone when dropped.
#[derive(Debug)]
pub(super) struct Postgres {
    folder: PathBuf,
    control: String,
    pub(super) url: String,
    _owner: Option<TempDir>,
}

impl Postgres {
    pub(super) fn start() -> Result<Self, Skip> {
        let owner = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
        let folder = owner.path().join("cluster");
        Self::start_in(folder, Some(owner))
    }

    /// The same, with all its files on that disk.
    pub(super) fn start_on(disk: &SmallDisk) -> Result<Self, Skip> {
        Self::start_in(disk.path().join("cluster"), None)
    }

    fn start_in(folder: PathBuf, owner: Option<TempDir>) -> Result<Self, Skip> {
        let bin =
            need("ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1 || dirname $(command -v initdb)")?;
        let port = free_port();
        let as_other = if need("id -u")? == "0" {
            need(&format!("mkdir {0}; chmod 755 {0}/..; chown postgres {0}", folder.display()))?;
            "setpriv --reuid postgres --regid $(id -g postgres) --clear-groups"
        } else {
            need(&format!("mkdir {}", folder.display()))?;
            ""
        };
        let data = folder.join("data");
        let control = format!(
            "cd /; {as_other} {bin}/pg_ctl -D {} -w -l {} -o '-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=\"\"'",
            data.display(),
            folder.join("log").display()
        );
        need(&format!(
            "cd /; {as_other} {bin}/initdb -D {} -U natter --auth=trust -E UTF8 --locale=C --wal-segsize=1 >/dev/null
             {control} start >/dev/null 2>&1 </dev/null
             {as_other} {bin}/createdb -h 127.0.0.1 -p {port} -U natter natter",
            data.display()
        ))?;
        Ok(Self { folder, control, url: format!("postgres://natter@127.0.0.1:{port}/natter"), _owner: owner })
    }

    /// Starts it again, if it gave up.
    pub(super) fn revive(&self) -> Result<(), Skip> {
        let Self { control, .. } = self;
        need(&format!("{control} status >/dev/null || {control} start >/dev/null 2>&1 </dev/null")).map(drop)
    }

    /// Restarts it as a crash would.
    pub(super) fn restart(&self) -> Result<(), Skip> {
        need(&format!("{} -m immediate restart >/dev/null 2>&1 </dev/null", self.control)).map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(error) = sh(&format!("{} -m immediate stop >/dev/null 2>&1", self.control)) {
            eprintln!("the server in {} was not stopped: {error}", self.folder.display());
        }
    }
}
