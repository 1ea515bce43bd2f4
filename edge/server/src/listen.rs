//! Accepts connections: within the limits, with keepalive, and without spinning when the machine has no more to give.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::closing::Closing;
use crate::gateway::Gateway;
use crate::limits::{Limits, Place};
use crate::meters;
use crate::tcp::Tcp;

/// A client that doesn't answer is found dead after 30 s: with nothing to send, by the probes; else by what it doesn't
/// acknowledge.
const DEAD_AFTER: Duration = Duration::from_secs(30);
const PROBE_AFTER: Duration = Duration::from_secs(15);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;
/// After an accept that failed for want of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted; as many as Rust's own listener lets wait.
const BACKLOG: u32 = 1024;

/// A port on which clients connect.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    limits: Arc<Limits>,
    /// What a client hears for which there is no place.
    refusal: Vec<u8>,
}

/// A client that connected.
pub(crate) struct Visitor {
    pub(crate) stream: TcpStream,
    pub(crate) place: Arc<Place>,
}

impl Port {
    /// Listens on `address`, together with others if it is `shared`. Clients beyond the limits hear `refusal`.
    pub(crate) async fn bind(
        address: &str,
        shared: bool,
        limits: &Arc<Limits>,
        refusal: impl Into<Vec<u8>>,
    ) -> anyhow::Result<Self> {
        let listener = if shared { listen_together(address).await } else { TcpListener::bind(address).await };
        let listener = listener.with_context(|| format!("listen on {address}"))?;
        Ok(Self { listener, limits: limits.clone(), refusal: refusal.into() })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next client for which there is a place.
    pub(crate) async fn accept(&self) -> Visitor {
        let mut pause = PAUSE;
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    pause = PAUSE;
                    if let Some(visitor) = self.admit(stream, from.ip()) {
                        return visitor;
                    }
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, ?pause, "can't accept connections now");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, address: IpAddr) -> Option<Visitor> {
        let Some(place) = self.limits.admit(address) else {
            meters::closed(Closing::TOO_MANY_CONNECTIONS.code).increment(1);
            // Into the socket's empty buffer, or not at all: a flood must not cost more than this.
            let _ = SockRef::from(&stream).send(&self.refusal);
            let _ = SockRef::from(&stream).shutdown(std::net::Shutdown::Write);
            return None;
        };
        match prepare(&stream) {
            Ok(()) => Some(Visitor { stream, place }),
            Err(error) => {
                tracing::debug!(%error, %address, "gone before it was served");
                None
            }
        }
    }
}

/// Listens on a port on which others may listen that said the same.
async fn listen_together(address: &str) -> io::Result<TcpListener> {
    let nowhere = || io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address");
    let address = tokio::net::lookup_host(address).await?.next().ok_or_else(nowhere)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
    Ok(())
}

/// The client left between connecting and being accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves the clients of the TCP port until the edge stops.
pub(crate) async fn serve_tcp(gateway: Arc<Gateway>, port: Port) {
    loop {
        let visitor = tokio::select! {
            () = gateway.stopping.cancelled() => return,
            visitor = port.accept() => visitor,
        };
        let tcp = Tcp::new(visitor.stream, gateway.settings.sign_in_timeout());
        gateway.spawn(visitor.place, tcp);
    }
}
