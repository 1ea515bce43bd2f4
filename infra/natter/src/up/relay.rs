//! The way into a host that is a network namespace: from this machine's loopback to that of the host.
//!
//! Sockets in the file system are seen from every namespace. So `natter up` listens on loopback here, and a process within
//! the host, which also keeps the namespace alive, connects to loopback there.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// More connections than an edge takes.
const CONNECTIONS_MAX: usize = 20_000;

/// After an accept that failed.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

/// Pass connections on to ports of this host's loopback.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayArguments {
    /// Where connections come from; each begins with the port in two bytes
    socket: PathBuf,
}

/// Goes on until it is killed.
pub(crate) async fn relay(arguments: RelayArguments) -> anyhow::Result<()> {
    let listener = UnixListener::bind(&arguments.socket)?;
    std::fs::set_permissions(&arguments.socket, std::fs::Permissions::from_mode(0o600))?;
    let guests = TaskTracker::new();
    loop {
        // Out of files, perhaps; that passes.
        let Ok((mut guest, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        if guests.len() >= CONNECTIONS_MAX {
            continue;
        }
        guests.spawn(async move {
            let passed = async {
                let port = guest.read_u16().await?;
                let mut to = TcpStream::connect(("127.0.0.1", port)).await?;
                copy_bidirectional(&mut guest, &mut to).await
            };
            // Either side may end it at any time; both see it.
            let _ = passed.await;
        });
    }
}

/// Ports of this machine's loopback that lead into hosts. Dropped, they are closed.
#[derive(Debug, Default)]
pub(super) struct Doors {
    ports: BTreeSet<u16>,
    open: JoinSet<()>,
}

impl Doors {
    /// Lets whoever connects to `port` here reach `port` of the host behind `socket`.
    pub(super) fn open(&mut self, port: u16, socket: &Path) -> anyhow::Result<()> {
        if !self.ports.insert(port) {
            return Ok(());
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("port {port}"))?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let socket = socket.to_owned();
        self.open.spawn(async move {
            let guests = TaskTracker::new();
            loop {
                let Ok((mut guest, _)) = listener.accept().await else {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                };
                if guests.len() >= CONNECTIONS_MAX {
                    continue;
                }
                let socket = socket.clone();
                guests.spawn(async move {
                    let passed = async {
                        let mut to = UnixStream::connect(&socket).await?;
                        to.write_u16(port).await?;
                        copy_bidirectional(&mut guest, &mut to).await
                    };
                    let _ = passed.await;
                });
            }
        });
        Ok(())
    }
}
