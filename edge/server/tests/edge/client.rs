//! A client that does what it is told, be it allowed or not.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use broker_schemas::{Code, ContentType, SessionId, UserId};
use futures_util::{SinkExt, StreamExt};
use natter_protocol::{BINARY_MAGIC, ClientFrame, Encoding, ServerFrame};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::demo::{Echo, Login};

const PATIENCE: Duration = Duration::from_secs(8);

/// What the edge said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Ok(u64, Vec<u8>),
    Error(u64, Code),
    Event(String, Vec<u8>),
    Pong(u64),
    Closing(String),
    /// The connection is closed.
    Nothing,
}

pub(crate) struct Client {
    socket: Socket,
    pub(crate) encoding: Encoding,
}

enum Socket {
    Tcp { stream: TcpStream, buffer: Vec<u8> },
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

impl Client {
    /// One over each transport, in each encoding.
    pub(crate) async fn of_all_kinds(tcp: SocketAddr, http: SocketAddr) -> Vec<Self> {
        vec![
            Self::tcp(tcp, Encoding::Json).await,
            Self::tcp(tcp, Encoding::Binary).await,
            Self::websocket(http, Encoding::Json).await,
            Self::websocket(http, Encoding::Binary).await,
        ]
    }

    pub(crate) async fn tcp(address: SocketAddr, encoding: Encoding) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut client = Self { socket: Socket::Tcp { stream, buffer: Vec::new() }, encoding };
        if encoding == Encoding::Binary {
            client.write(&BINARY_MAGIC).await;
        }
        client
    }

    pub(crate) async fn websocket(address: SocketAddr, encoding: Encoding) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
        Self { socket: Socket::WebSocket(Box::new(socket)), encoding }
    }

    /// The status of a WebSocket upgrade that names an origin.
    pub(crate) async fn upgrade_from(address: SocketAddr, origin: &str) -> StatusCode {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        match connect_async(request).await {
            Ok((_, response)) => response.status(),
            Err(WsError::Http(response)) => response.status(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Writes bytes as they are: to a stream, or as one message.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        match &mut self.socket {
            Socket::Tcp { stream, .. } => stream.write_all(bytes).await.unwrap(),
            Socket::WebSocket(socket) => {
                let message = match self.encoding {
                    Encoding::Json => Message::text(String::from_utf8(bytes.to_vec()).unwrap()),
                    Encoding::Binary => Message::binary(bytes.to_vec()),
                };
                socket.send(message).await.unwrap();
            }
        }
    }

    /// Says that nothing more will come.
    pub(crate) async fn end_input(&mut self) {
        if let Socket::Tcp { stream, .. } = &mut self.socket {
            stream.shutdown().await.unwrap();
        }
    }

    pub(crate) async fn send(&mut self, frame: &ClientFrame<'_>) {
        let is_stream = matches!(self.socket, Socket::Tcp { .. });
        let bytes = frame.encode(self.encoding, is_stream).unwrap();
        self.write(&bytes).await;
    }

    pub(crate) async fn begin<T: Serialize>(&mut self, id: u64, call: &str, body: &T) {
        let body = self.encoding.content_type().encode(body).unwrap();
        self.send(&ClientFrame::Call { id, call: call.into(), body: &body }).await;
    }

    pub(crate) async fn call<T: Serialize>(&mut self, id: u64, call: &str, body: &T) -> Said {
        self.begin(id, call, body).await;
        self.next().await
    }

    pub(crate) async fn login(&mut self, user: u64, session: u64) {
        let done = if self.encoding == Encoding::Json { b"{}".to_vec() } else { vec![] };
        assert_eq!(self.call(1, "user.login", &login(user, session)).await, Said::Ok(1, done));
    }

    /// The body of something that was said here.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> T {
        self.encoding.content_type().decode(body).unwrap()
    }

    /// What the edge says next.
    pub(crate) async fn next(&mut self) -> Said {
        timeout(PATIENCE, self.frame()).await.expect("the edge says something in time")
    }

    /// Whether the edge says nothing for a while.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.frame()).await.is_err()
    }

    async fn frame(&mut self) -> Said {
        let encoding = self.encoding;
        match &mut self.socket {
            Socket::WebSocket(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return said(Encoding::Json, text.as_bytes()),
                    Some(Ok(Message::Binary(bytes))) => return said(Encoding::Binary, &bytes),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Said::Nothing,
                }
            },
            Socket::Tcp { stream, buffer } => loop {
                if let Some(length) = complete(encoding, buffer) {
                    let frame: Vec<u8> = buffer.drain(..length).collect();
                    return match encoding {
                        Encoding::Json => said(encoding, frame.trim_ascii_end()),
                        Encoding::Binary => said(encoding, &frame[4..]),
                    };
                }
                if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
                    return Said::Nothing;
                }
            },
        }
    }
}

/// How long the first frame in `buffer` is, if all of it is there.
fn complete(encoding: Encoding, buffer: &[u8]) -> Option<usize> {
    match encoding {
        Encoding::Json => buffer.iter().position(|byte| *byte == b'\n').map(|end| end + 1),
        Encoding::Binary => {
            let length = u32::from_be_bytes(*buffer.first_chunk()?) as usize + 4;
            (buffer.len() >= length).then_some(length)
        }
    }
}

fn said(encoding: Encoding, frame: &[u8]) -> Said {
    match ServerFrame::decode(encoding, frame).unwrap() {
        ServerFrame::Ok { id, body } => Said::Ok(id, body.to_vec()),
        ServerFrame::Error { id, error } => Said::Error(id, error.code),
        ServerFrame::Event { event, body } => Said::Event(event.into_owned(), body.to_vec()),
        ServerFrame::Pong { id } => Said::Pong(id),
        ServerFrame::Closing { code, .. } => Said::Closing(code.into_owned()),
    }
}

pub(crate) fn login(user: u64, session: u64) -> Login {
    Login { user: UserId::new(user).unwrap(), session: SessionId::new(session).unwrap() }
}

pub(crate) fn echo(text: &str, wait_ms: u32) -> Echo {
    Echo { text: text.try_into().unwrap(), wait_ms }
}

pub(crate) fn closing(code: &str) -> Said {
    Said::Closing(code.to_owned())
}

pub(crate) fn event<T: Serialize>(encoding: Encoding, name: &str, body: &T) -> Said {
    let content_type: ContentType = encoding.content_type();
    Said::Event(name.to_owned(), content_type.encode(body).unwrap())
}
