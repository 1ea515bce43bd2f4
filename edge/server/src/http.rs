//! The HTTP port: `/ws` becomes a WebSocket, `/healthz` says that the edge lives.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State, WebSocketUpgrade};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use natter_protocol::{MAX_CLIENT_FRAME, MAX_SERVER_FRAME};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::gateway::Gateway;
use crate::limits::Place;
use crate::listen::Port;
use crate::websocket::Ws;

/// Standing buffers of a WebSocket, in bytes. The library's own 128 KiB each are for few and fast connections.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 8 * 1024;
/// The length and mask in front of a message.
const LARGEST_HEADER: usize = 14;

/// Answers a client for which there is no place.
pub(crate) const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n\
                                  Content-Length: 21\r\n\r\ntoo many connections\n";

/// Serves the clients of the HTTP port until the edge stops.
pub(crate) async fn serve(gateway: Arc<Gateway>, port: Port) {
    let stopping = gateway.stopping.clone();
    let deadline = gateway.settings.sign_in_timeout();
    let routes = Router::new()
        .route("/ws", get(open))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(gateway)
        .into_make_service_with_connect_info::<Caller>();
    let served =
        axum::serve(Door { port, deadline }, routes).with_graceful_shutdown(stopping.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the http port stopped");
    }
}

async fn open(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(Caller { visit }): ConnectInfo<Caller>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !may_open(&headers, &gateway.settings.allowed_origins) {
        let words = "this page's origin may not connect; the operator can add it to edge.allowed_origins\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    visit.upgraded.store(true, Ordering::Relaxed);
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + MAX_SERVER_FRAME + LARGEST_HEADER)
        .max_message_size(MAX_CLIENT_FRAME)
        .max_frame_size(MAX_CLIENT_FRAME)
        .on_upgrade(move |socket| async move {
            gateway.spawn(visit.place.clone(), Ws::new(socket, visit, &gateway.settings));
        })
}

/// Browsers name the origin of the page, and nothing else does. A page from the host that it connects to may, others
/// only by configuration.
fn may_open(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_same_host = match (origin.split_once("://"), host) {
        (Some((_, authority)), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    };
    is_same_host || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// One TCP connection of the HTTP port, before and after it became a WebSocket.
#[derive(Debug)]
pub(crate) struct Visit {
    place: Arc<Place>,
    upgraded: AtomicBool,
    bytes_out: AtomicU64,
}

impl Visit {
    /// How many bytes the socket has taken.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }
}

/// Hands the visit to the handler of a request.
#[derive(Debug, Clone)]
struct Caller {
    visit: Arc<Visit>,
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self { visit: stream.io().visit.clone() }
    }
}

/// Lets axum accept connections within our limits.
struct Door {
    port: Port,
    deadline: Duration,
}

impl Listener for Door {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        let visitor = self.port.accept().await;
        let from = SocketAddr::new(visitor.place.address, 0);
        let visit =
            Visit { place: visitor.place, upgraded: AtomicBool::new(false), bytes_out: AtomicU64::new(0) };
        let deadline = Some(Box::pin(sleep(self.deadline)));
        (Guarded { stream: visitor.stream, visit: Arc::new(visit), deadline }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.address()
    }
}

/// A socket that must become a WebSocket in time, whatever it says until then, and that counts what it takes.
struct Guarded {
    stream: TcpStream,
    visit: Arc<Visit>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = written {
            self.visit.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.visit.upgraded.load(Ordering::Relaxed) {
            self.deadline = None;
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&str>, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_pages_of_this_host_and_allowed_ones_may_connect() {
        let allowed = ["https://chat.example.org".to_owned()];
        let may = |origin, host| may_open(&headers(origin, host), &allowed);
        assert!(may(None, "127.0.0.1:7668"));
        assert!(may(Some("http://127.0.0.1:7668"), "127.0.0.1:7668"));
        assert!(may(Some("https://chat.example.org"), "127.0.0.1:7668"));
        for stranger in [
            "http://127.0.0.1",
            "https://evil.example",
            "https://chat.example.org.evil.example",
            "https://chat.example.org:8443",
            "http://chat.example.org",
            "null",
            "",
        ] {
            assert!(!may(Some(stranger), "127.0.0.1:7668"), "{stranger:?}");
        }
    }

    #[test]
    fn the_refusal_says_its_length() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }
}
