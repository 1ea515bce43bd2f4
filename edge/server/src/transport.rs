//! What a connection needs of whatever carries its frames.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use natter_protocol::Encoding;
use tokio::time::Instant;

use crate::closing::Closing;
use crate::outbox::Frame;

/// One frame of a client, still encoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client has gone.
    Gone,
    /// The client takes nothing any more, not even a last word.
    Stalled,
    /// The edge closes it, and says why.
    Closing(Closing),
}

impl Ending {
    /// The word for it in metrics and logs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Stalled => "write_stalled",
            Self::Closing(closing) => closing.code,
        }
    }
}

impl From<Closing> for Ending {
    fn from(closing: Closing) -> Self {
        Self::Closing(closing)
    }
}

impl From<io::Error> for Ending {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Carries frames. It is polled by one task, in both directions at once, which keeps an idle connection small: no
/// future of a read or a write stays around.
pub(crate) trait Transport: Send + Unpin + 'static {
    /// Its name in metrics.
    const NAME: &'static str;
    /// Whether frames need a line end or a length to tell them apart.
    const IS_STREAM: bool;

    /// The next frame; `None` once the client sends no more.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Received>, Ending>>;

    /// Writes some of `frames`, which are not empty, and removes what it has written. Returns the cost of what it removed.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<usize>>;

    /// Sees to it that all that was sent leaves this machine's buffers for the socket.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What the client speaks, as far as is known.
    fn encoding(&self) -> Encoding;

    /// How many bytes the socket has taken so far.
    fn bytes_out(&self) -> u64;

    /// When [`Transport::tick`] is due.
    fn deadline(&self) -> Option<Instant>;

    /// Acts on the time.
    ///
    /// # Errors
    /// When the client took too long for something.
    fn tick(&mut self, now: Instant) -> Result<(), Closing>;

    /// Ends the connection after the last frame, and gives the client a moment to read it: closing a socket with unread
    /// input would throw away what is on its way.
    fn finish(&mut self, closing: Closing) -> impl Future<Output = ()> + Send;
}
