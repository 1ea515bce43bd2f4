//! One connection's life: frames in, calls, frames out, and the time that everything may take. It knows neither the
//! transport nor the encoding.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use natter_protocol::{ClientFrame, Failure, ServerFrame};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::call;
use crate::closing::Closing;
use crate::connection::Connection;
use crate::gateway::Gateway;
use crate::meters::{self, METERS};
use crate::outbox::Frame;
use crate::transport::{Ending, Received, Transport};

/// Calls that a signed-in client may have open; further frames wait in the socket.
const OPEN_CALLS: usize = 32;
/// The same before sign-in: one after the other.
const OPEN_CALLS_ANONYMOUS: usize = 1;
/// Frames that can't be read before the connection is closed.
const BAD_FRAMES: u8 = 10;
/// Frames that are read before other connections have their turn.
const BURST: usize = 32;
/// How long what waits for a client is still written once its connection is to be closed.
const FINISH: Duration = Duration::from_secs(5);

/// One connection while it is served.
pub(crate) struct Driver<T: Transport> {
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    transport: T,
    /// What is being written; the first may have begun.
    writing: VecDeque<Frame>,
    stall: Option<Stall>,
    /// Exists only while something has a deadline.
    timer: Option<Pin<Box<Sleep>>>,
    bad_frames: u8,
    /// The client has said all it will say, but may still read.
    input_ended: bool,
}

impl<T: Transport> Drop for Driver<T> {
    /// Also when serving it panicked.
    fn drop(&mut self) {
        self.gateway.left(&self.connection);
        self.connection.outbox.shut();
        meters::connections(T::NAME).decrement(1.0);
    }
}

/// A write that waits for the client to read.
#[derive(Clone, Copy)]
struct Stall {
    since: Instant,
    bytes_out: u64,
}

impl<T: Transport> Driver<T> {
    pub(crate) fn new(gateway: Arc<Gateway>, connection: Arc<Connection>, transport: T) -> Self {
        meters::connections(T::NAME).increment(1.0);
        Self {
            gateway,
            connection,
            transport,
            writing: VecDeque::new(),
            stall: None,
            timer: None,
            bad_frames: 0,
            input_ended: false,
        }
    }

    /// Serves the connection until it ends.
    ///
    /// By reference: a future that takes something over keeps room for it twice.
    pub(crate) async fn serve(&mut self) {
        let ending = poll_fn(|context| self.poll(context)).await;
        self.gateway.left(&self.connection);
        meters::closed(ending.code()).increment(1);
        tracing::debug!(transport = T::NAME, address = %self.connection.place.address, code = ending.code(), "closed");
        let waiting = self.connection.outbox.shut();
        if let Ending::Closing(closing) = ending {
            // Boxed, so that a connection doesn't carry the size of its end all its life.
            let _ = Box::pin(timeout(FINISH, self.say_goodbye(waiting, closing))).await;
        }
    }

    /// Does what can be done now; ready when the connection is to end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        self.connection.outbox.watch(context.waker());
        loop {
            let step = self.read(context).and_then(|()| self.tick()).and_then(|()| self.write(context));
            if let Err(ending) = step {
                return Poll::Ready(ending);
            }
            // Once a time has come there may be something to do and to write.
            ready!(self.poll_timer(context));
        }
    }

    fn read(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        for _ in 0..BURST {
            if !self.has_room_for_a_call() {
                return Ok(());
            }
            match self.transport.poll_receive(context)? {
                Poll::Ready(Some(received)) => self.take(&received)?,
                Poll::Ready(None) => self.input_ended = true,
                Poll::Pending => return Ok(()),
            }
        }
        context.waker().wake_by_ref();
        Ok(())
    }

    fn has_room_for_a_call(&self) -> bool {
        let now = self.connection.situation();
        let most = if now.anonymous_since.is_some() { OPEN_CALLS_ANONYMOUS } else { OPEN_CALLS };
        !self.input_ended && !now.is_draining && now.open_calls < most
    }

    fn take(&mut self, received: &Received) -> Result<(), Closing> {
        METERS.frames_in.increment(1);
        let encoding = received.encoding;
        self.connection.speak(encoding);
        match ClientFrame::decode(encoding, &received.bytes) {
            Ok(ClientFrame::Call { id, call, body }) => {
                let body = received.bytes.slice_ref(body);
                call::start(&self.gateway, &self.connection, encoding, id, &call, body);
            }
            Ok(ClientFrame::Ping { id }) => self.connection.send(encoding, &ServerFrame::Pong { id }),
            Err(bad) => {
                let error = broker_schemas::Error::invalid(bad.message);
                let error = Failure::from(&error);
                self.connection.send(encoding, &ServerFrame::Error { id: bad.id, error });
                self.bad_frames += 1;
                if self.bad_frames >= BAD_FRAMES {
                    return Err(Closing::BAD_FRAMES);
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        let mut written = 0;
        loop {
            self.connection.outbox.take(&mut self.writing, written)?;
            if self.writing.is_empty() {
                break;
            }
            let before = self.writing.len();
            match self.transport.poll_send(context, &mut self.writing)? {
                Poll::Ready(cost) => written = cost,
                Poll::Pending => {
                    self.note_stall();
                    return Ok(());
                }
            }
            METERS.frames_out.increment((before - self.writing.len()) as u64);
        }
        // Nothing waits: hold no memory for it.
        self.writing = VecDeque::new();
        if self.transport.poll_flush(context)?.is_pending() {
            self.note_stall();
            return Ok(());
        }
        self.stall = None;
        self.end_if_done()
    }

    fn note_stall(&mut self) {
        let bytes_out = self.transport.bytes_out();
        if self.stall.is_none_or(|stall| stall.bytes_out != bytes_out) {
            self.stall = Some(Stall { since: Instant::now(), bytes_out });
        }
    }

    /// Everything is answered and written: is that all?
    fn end_if_done(&self) -> Result<(), Ending> {
        let now = self.connection.situation();
        if now.open_calls > 0 {
            Ok(())
        } else if now.is_draining {
            Err(Closing::SERVER_STOPPING.into())
        } else if self.input_ended {
            Err(Ending::Gone)
        } else {
            Ok(())
        }
    }

    /// Ends what took too long.
    fn tick(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.sign_in_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(Closing::SIGN_IN_TIMEOUT.into());
        }
        if self.stall_deadline().is_some_and(|deadline| deadline <= now) {
            let before = self.stall;
            self.note_stall();
            if self.stall.map(|stall| stall.bytes_out) == before.map(|stall| stall.bytes_out) {
                return Err(Ending::Stalled);
            }
        }
        Ok(self.transport.tick(now)?)
    }

    /// Ready when one of the deadlines may have come.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // One that fires too early only costs a look; moving it at each frame would cost more.
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        self.timer = None;
        Poll::Ready(())
    }

    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.sign_in_deadline(), self.stall_deadline(), self.transport.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Passes only between calls: the call that is open may be the sign-in.
    fn sign_in_deadline(&self) -> Option<Instant> {
        let now = self.connection.situation();
        let since = now.anonymous_since.filter(|_| now.open_calls == 0)?;
        Some(since + self.gateway.settings.sign_in_timeout())
    }

    fn stall_deadline(&self) -> Option<Instant> {
        Some(self.stall?.since + self.gateway.settings.write_stall())
    }

    /// Writes what waits, and the last word. Ends early when the client doesn't read it.
    async fn say_goodbye(&mut self, mut waiting: VecDeque<Frame>, closing: Closing) {
        if closing == Closing::SLOW_CONSUMER {
            // The first may be half written.
            self.writing.truncate(1);
        }
        let encoding = self.transport.encoding();
        let bytes = closing.frame().encode(encoding, T::IS_STREAM);
        self.writing.append(&mut waiting);
        self.writing.push_back(Frame { encoding, bytes });
        let patience = self.gateway.settings.write_stall();
        while !self.writing.is_empty() {
            let send = poll_fn(|context| self.transport.poll_send(context, &mut self.writing));
            let Ok(Ok(_)) = timeout(patience, send).await else { return };
        }
        let flush = poll_fn(|context| self.transport.poll_flush(context));
        if let Ok(Ok(())) = timeout(patience, flush).await {
            self.transport.finish(closing).await;
        }
    }
}
