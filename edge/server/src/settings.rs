//! Section `[edge]` of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// Section `[edge]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where TCP clients connect, as `address:port`; port 0 is any free one.
    pub tcp: String,
    /// Where WebSocket clients connect, as `address:port`; port 0 is any free one.
    pub http: String,
    /// Whether it carries calls of the service `admin`, with a credential of its own (`admin-edge`). An edge that doesn't has
    /// them refused. Keep the ports of one that does where staff can reach them, and others need not.
    pub admin: bool,
    /// Whether other edges of the same user may listen on the same ports: the kernel then spreads new connections among
    /// them. An edge and its successor do so for a moment.
    pub share_ports: bool,
    /// Once both ports listen, their addresses are written to this file, as JSON: `{"tcp":"…","http":"…"}`. Nothing is
    /// written when absent.
    pub address_file: Option<PathBuf>,
    /// Origins of web pages that may open a WebSocket, such as `https://chat.example.org`, besides pages from the host
    /// that the client connects to.
    pub allowed_origins: Vec<String>,
    /// The most connections at once, 1 or more. Each needs a file descriptor: the process raises its limit as far as it may, and takes
    /// fewer where that is not enough.
    pub max_connections: usize,
    /// The most connections from one address (of IPv6: from one /64 network); 0 for no limit.
    pub max_connections_per_address: usize,
    /// The most connections of one user, 1 or more; the next one closes the user's oldest.
    pub max_connections_per_user: usize,
    /// How much may wait to be read by one client, in bytes; past it the connection is closed. 65536 or more.
    pub out_queue_bytes: usize,
    /// How long a client may take to sign in, in milliseconds. A frame that has begun must be complete within it, too.
    pub sign_in_timeout_ms: u64,
    /// How long writing to a client may make no progress at all, in milliseconds; past it the connection is cut.
    pub write_stall_ms: u64,
    /// After how much silence of a WebSocket client it is asked for a sign of life, in milliseconds.
    pub ping_after_ms: u64,
    /// How long a WebSocket client may take to give one, in milliseconds; past it the connection is closed.
    pub pong_within_ms: u64,
    /// How long a call may take, in milliseconds.
    pub call_timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp: "127.0.0.1:7667".into(),
            http: "127.0.0.1:7668".into(),
            admin: false,
            share_ports: false,
            address_file: None,
            allowed_origins: Vec::new(),
            max_connections: 15_000,
            max_connections_per_address: 50,
            max_connections_per_user: 10,
            out_queue_bytes: 1024 * 1024,
            sign_in_timeout_ms: 10_000,
            write_stall_ms: 1_000,
            ping_after_ms: 25_000,
            pong_within_ms: 8_000,
            call_timeout_ms: 10_000,
        }
    }
}

impl Settings {
    /// Refuses values with which the edge could not serve anybody.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(self.max_connections > 0, "edge.max_connections: expected 1 or more");
        ensure!(self.max_connections_per_user > 0, "edge.max_connections_per_user: expected 1 or more");
        ensure!(self.out_queue_bytes >= 65_536, "edge.out_queue_bytes: expected 65536 or more");
        for (name, milliseconds) in [
            ("sign_in_timeout_ms", self.sign_in_timeout_ms),
            ("write_stall_ms", self.write_stall_ms),
            ("ping_after_ms", self.ping_after_ms),
            ("pong_within_ms", self.pong_within_ms),
            ("call_timeout_ms", self.call_timeout_ms),
        ] {
            ensure!(milliseconds > 0, "edge.{name}: expected 1 or more");
        }
        Ok(())
    }

    pub(crate) const fn sign_in_timeout(&self) -> Duration {
        Duration::from_millis(self.sign_in_timeout_ms)
    }

    pub(crate) const fn write_stall(&self) -> Duration {
        Duration::from_millis(self.write_stall_ms)
    }

    pub(crate) const fn ping_after(&self) -> Duration {
        Duration::from_millis(self.ping_after_ms)
    }

    pub(crate) const fn pong_within(&self) -> Duration {
        Duration::from_millis(self.pong_within_ms)
    }

    pub(crate) const fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }
}
