//! What it takes to run one copy.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

/// What it takes to run one copy of a process, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// Such as `message.1`.
    pub(super) name: String,
    /// Such as `message`.
    pub(super) process: String,
    /// The parts that run in it; empty when it runs all, or none of ours.
    pub(super) parts: Vec<String>,
    pub(super) program: PathBuf,
    /// The file that is its program in the end, when it is started by another.
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// A file that is written before each start, and its text.
    pub(super) configuration: Option<(PathBuf, String)>,
    pub(super) ready: Ready,
    pub(super) stop_signal: Signal,
    /// Whether it is started again when it dies; otherwise somebody else decides what becomes of it.
    pub(super) comes_back: bool,
    /// Whether it is ended, so that it comes back, when it does not answer any more.
    pub(super) is_watched: bool,
    /// Where clients find it, by the key of the setting.
    pub(super) addresses: BTreeMap<String, String>,
}

/// How to see that a copy does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ready {
    /// A process of ours: `/readyz` at one of two ports of its own, so that a copy and its successor can be asked apart.
    Ours { address: String, ports: [u16; 2] },
    /// Another program: it answers `path` with success.
    Http { address: String, path: &'static str },
    /// A PostgreSQL server: it would let somebody sign in. What it does it writes into a file.
    Postgres { address: String, status: PathBuf },
}

impl Ready {
    /// Where the process of ours that was started as number `generation` tells its health; another program has no such place.
    pub(super) fn health(&self, generation: usize) -> Option<String> {
        let Self::Ours { address, ports } = self else { return None };
        Some(format!("{address}:{}", ports[generation % ports.len()]))
    }
}

impl Recipe {
    /// The same, begun by another command, such as one that enters a host.
    pub(super) fn within(mut self, command: &[OsString]) -> Self {
        if let [program, rest @ ..] = command {
            let mut arguments = rest.to_vec();
            arguments.push(std::mem::replace(&mut self.program, program.into()).into());
            arguments.append(&mut self.arguments);
            self.arguments = arguments;
        }
        self
    }

    /// Each port at which it listens for whoever is on its machine.
    pub(super) fn ports(&self) -> Vec<u16> {
        let port = |address: &String| address.rsplit(':').next().and_then(|port| port.parse().ok());
        let mut ports: Vec<u16> = self.addresses.values().filter_map(port).collect();
        match &self.ready {
            Ready::Ours { ports: health, .. } => ports.extend(health),
            Ready::Http { address, .. } | Ready::Postgres { address, .. } => ports.extend(port(address)),
        }
        ports
    }

    /// Whether a new copy can run beside the old one until that has drained.
    pub(super) const fn can_overlap(&self) -> bool {
        matches!(self.ready, Ready::Ours { .. })
    }

    /// The longest that it may take to end by itself: a part of ours drains.
    pub(super) const fn stop_within(&self) -> Duration {
        Duration::from_secs(20)
    }
}
