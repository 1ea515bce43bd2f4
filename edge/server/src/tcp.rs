//! Frames over TCP.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use natter_protocol::Encoding;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::closing::Closing;
use crate::framing::Framing;
use crate::outbox::Frame;
use crate::transport::{Ending, Received, Transport};

/// How much is read at once. It is on the stack: a connection that waits has no buffer.
const CHUNK: usize = 8 * 1024;
/// How many frames are written with one system call.
const FRAMES_AT_ONCE: usize = 64;
/// How long a closed connection waits for the client to read the last words.
const LINGER: Duration = Duration::from_secs(1);

/// A TCP connection of a client.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    framing: Framing,
    frame_timeout: Duration,
    /// Since when the client owes the rest of a frame.
    within_frame_since: Option<Instant>,
    bytes_out: u64,
}

impl Tcp {
    /// A client that connected. A frame must be complete within `frame_timeout`.
    pub(crate) fn new(stream: TcpStream, frame_timeout: Duration) -> Self {
        Self { stream, framing: Framing::default(), frame_timeout, within_frame_since: None, bytes_out: 0 }
    }

    fn poll_read(&self, context: &mut Context<'_>, chunk: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read(chunk) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, frames: &VecDeque<Frame>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); FRAMES_AT_ONCE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(frames) {
            *slice = IoSlice::new(&frame.bytes);
            count += 1;
        }
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_write_vectored(&slices[..count]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Transport for Tcp {
    const NAME: &'static str = "tcp";
    const IS_STREAM: bool = true;

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Received>, Ending>> {
        loop {
            if let Some(frame) = self.framing.next()? {
                self.within_frame_since = None;
                return Poll::Ready(Ok(Some(frame)));
            }
            let mut chunk = [0; CHUNK];
            let Poll::Ready(read) = self.poll_read(context, &mut chunk) else {
                if self.framing.is_within_frame() {
                    self.within_frame_since.get_or_insert_with(Instant::now);
                }
                return Poll::Pending;
            };
            match read? {
                0 => return Poll::Ready(Ok(None)),
                length => self.framing.feed(&chunk[..length]),
            }
        }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<usize>> {
        let mut written = ready!(self.poll_write(context, frames))?;
        self.bytes_out += written as u64;
        let mut cost = 0;
        while let Some(front) = frames.front_mut() {
            if written < front.bytes.len() {
                front.bytes.advance(written);
                return Poll::Ready(Ok(cost + written));
            }
            written -= front.bytes.len();
            cost += front.cost();
            frames.pop_front();
        }
        Poll::Ready(Ok(cost))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// A client that hasn't spoken yet is taken for a person.
    fn encoding(&self) -> Encoding {
        self.framing.encoding().unwrap_or(Encoding::Json)
    }

    fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.within_frame_since? + self.frame_timeout)
    }

    fn tick(&mut self, now: Instant) -> Result<(), Closing> {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            return Err(Closing::FRAME_TIMEOUT);
        }
        Ok(())
    }

    async fn finish(&mut self, _: Closing) {
        let drain = poll_fn(|context| {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            let mut chunk = [0; CHUNK];
            while ready!(self.poll_read(context, &mut chunk))? > 0 {}
            Poll::Ready(io::Result::Ok(()))
        });
        let _ = timeout(LINGER, drain).await;
    }
}
