//! Frames over WebSocket: a text message is a JSON frame, a binary one a postcard frame.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::{Sink, Stream};
use natter_protocol::Encoding;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::Settings;
use crate::closing::Closing;
use crate::http::Visit;
use crate::outbox::Frame;
use crate::transport::{Ending, Received, Transport};

/// How long a closed connection waits for the client's close frame.
const LINGER: Duration = Duration::from_secs(1);

/// A WebSocket of a client.
#[derive(Debug)]
pub(crate) struct Ws {
    socket: WebSocket,
    visit: Arc<Visit>,
    /// That of the last message.
    encoding: Encoding,
    heard: Instant,
    ping: Ping,
    /// After this much silence the client is asked for a sign of life.
    ping_after: Duration,
    /// After this much more, it has given none.
    pong_within: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    NotNeeded,
    Due,
    Sent,
}

impl Ws {
    pub(crate) fn new(socket: WebSocket, visit: Arc<Visit>, settings: &Settings) -> Self {
        Self {
            socket,
            visit,
            encoding: Encoding::Json,
            heard: Instant::now(),
            ping: Ping::NotNeeded,
            ping_after: settings.ping_after(),
            pong_within: settings.pong_within(),
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Message, Ending>> {
        let message = ready!(Pin::new(&mut self.socket).poll_next(context));
        self.heard = Instant::now();
        self.ping = Ping::NotNeeded;
        Poll::Ready(match message {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(why(error)),
            None => Err(Ending::Gone),
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_ready(context).map_err(io::Error::other)
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        Pin::new(&mut self.socket).start_send(message).map_err(io::Error::other)
    }
}

impl Transport for Ws {
    const NAME: &'static str = "websocket";
    const IS_STREAM: bool = false;

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Received>, Ending>> {
        loop {
            let message = ready!(self.poll_message(context))?;
            self.encoding = match message {
                Message::Text(_) => Encoding::Json,
                Message::Binary(_) => Encoding::Binary,
                // The library answers both; after a close frame, the next poll says that the client has gone.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
            };
            return Poll::Ready(Ok(Some(Received { encoding: self.encoding, bytes: message.into_data() })));
        }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        let Some(frame) = frames.pop_front() else { return Poll::Ready(Ok(0)) };
        let cost = frame.cost();
        self.start_send(message(frame))?;
        Poll::Ready(Ok(cost))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ping == Ping::Due {
            ready!(self.poll_ready(context))?;
            self.start_send(Message::Ping(Bytes::new()))?;
            self.ping = Ping::Sent;
        }
        Pin::new(&mut self.socket).poll_flush(context).map_err(io::Error::other)
    }

    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn bytes_out(&self) -> u64 {
        self.visit.bytes_out()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(match self.ping {
            Ping::NotNeeded => self.heard + self.ping_after,
            Ping::Due | Ping::Sent => self.heard + self.ping_after + self.pong_within,
        })
    }

    fn tick(&mut self, now: Instant) -> Result<(), Closing> {
        if now >= self.heard + self.ping_after + self.pong_within {
            return Err(Closing::UNRESPONSIVE);
        }
        if now >= self.heard + self.ping_after && self.ping == Ping::NotNeeded {
            self.ping = Ping::Due;
        }
        Ok(())
    }

    async fn finish(&mut self, closing: Closing) {
        let farewell = async {
            let close = CloseFrame { code: close_code::POLICY, reason: Utf8Bytes::from_static(closing.code) };
            poll_fn(|context| self.poll_ready(context)).await?;
            self.start_send(Message::Close(Some(close)))?;
            poll_fn(|context| self.poll_flush(context)).await?;
            while poll_fn(|context| self.poll_message(context)).await.is_ok() {}
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, farewell).await;
    }
}

fn message(frame: Frame) -> Message {
    match frame.encoding {
        Encoding::Binary => Message::Binary(frame.bytes),
        Encoding::Json => Message::Text(text(frame.bytes)),
    }
}

/// Who put a body into the frame has checked that it is UTF-8.
fn text(bytes: Bytes) -> Utf8Bytes {
    Utf8Bytes::try_from(bytes).unwrap_or_default()
}

fn why(error: axum::Error) -> Ending {
    match error.into_inner().downcast_ref::<WsError>() {
        Some(WsError::Capacity(_)) => Closing::FRAME_TOO_LARGE.into(),
        Some(WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Ending::Gone,
        Some(WsError::Protocol(_) | WsError::Utf8(_)) => Closing::BAD_WEBSOCKET.into(),
        _ => Ending::Gone,
    }
}
