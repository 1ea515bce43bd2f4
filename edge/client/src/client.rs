//! One connection to an edge.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::{Code, Error, Exposure, Method};
use bytes::Bytes;
use natter_protocol::{ClientFrame, Encoding, MAX_CLIENT_FRAME};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::calls::{Answer, Calls};
use crate::connection::{self, Outgoing};
use crate::{Address, CallError, Closed, ConnectError, Event, transport};

/// How much longer than a method's own deadline a client waits: the edge answers for a service that doesn't.
const GRACE: Duration = Duration::from_secs(2);

/// How a connection behaves; the defaults suit an interactive client.
#[derive(Debug, Clone)]
pub struct Options {
    /// How frames and bodies are encoded; binary by default.
    pub encoding: Encoding,
    /// How long connecting may take; 8 s by default.
    pub connect_timeout: Duration,
    /// How many calls may be open at once; a further one waits, within its deadline. 32 by default, which is what an edge
    /// works on at once.
    pub open_calls: usize,
    /// How many events wait for the application before [`Event::Resync`] replaces further ones; 1,024 by default.
    pub event_queue: usize,
    /// After so long without a word from the edge, the client asks for a sign of life; 25 s by default.
    pub quiet: Duration,
    /// How long the edge may take to give that sign before the connection counts as broken; 8 s by default.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            encoding: Encoding::Binary,
            connect_timeout: Duration::from_secs(8),
            open_calls: 32,
            event_queue: 1_024,
            quiet: Duration::from_secs(25),
            patience: Duration::from_secs(8),
        }
    }
}

/// One connection to an edge. Clones share it; it closes with the last one.
#[derive(Debug, Clone)]
pub struct Client {
    encoding: Encoding,
    is_stream: bool,
    calls: Arc<Calls>,
    room: Arc<Semaphore>,
    outgoing: mpsc::Sender<Outgoing>,
    /// The connection's task; dropping this ends it.
    _task: Arc<JoinSet<()>>,
}

/// What the edge pushes on one connection, until it closes.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; nothing once the connection is closed and every event was taken. May be dropped at any time
    /// without losing an event.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Client {
    /// Connects with the default [`Options`].
    ///
    /// # Errors
    /// [`ConnectError`] when the edge can't be reached.
    pub async fn connect(address: &Address) -> Result<(Self, Events), ConnectError> {
        Self::connect_with(address, &Options::default()).await
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ConnectError`] when the edge can't be reached.
    pub async fn connect_with(address: &Address, options: &Options) -> Result<(Self, Events), ConnectError> {
        let opening = Box::pin(transport::open(address, options.encoding));
        let (reader, writer) =
            timeout(options.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)??;
        let calls = Arc::new(Calls::new());
        let is_stream = writer.is_stream();
        // Room for every open call; what was given up before it was sent may make others wait.
        let (outgoing, to_send) = mpsc::channel(options.open_calls.max(1));
        let (pushed, events) = mpsc::channel(options.event_queue.max(1));
        let mut task = JoinSet::new();
        task.spawn(connection::run(reader, writer, Arc::clone(&calls), to_send, pushed, options.clone()));
        let client = Self {
            encoding: options.encoding,
            is_stream,
            calls,
            room: Arc::new(Semaphore::new(options.open_calls.max(1))),
            outgoing,
            _task: Arc::new(task),
        };
        Ok((client, Events(events)))
    }

    /// Calls a method within its own deadline, and the time that the answer needs to get here.
    ///
    /// # Errors
    /// [`CallError`]; its outcome says whether the call may have happened.
    pub async fn call<R: Method>(&self, request: &R) -> Result<R::Reply, CallError> {
        self.call_within(request, R::SPEC.deadline + GRACE).await
    }

    /// Calls a method, and waits at most `limit` for the answer.
    ///
    /// # Errors
    /// [`CallError`]; its outcome says whether the call may have happened.
    pub async fn call_within<R: Method>(&self, request: &R, limit: Duration) -> Result<R::Reply, CallError> {
        const { assert!(passes_an_edge(R::SPEC.exposures), "not a method that can be called through an edge") };
        let codec = self.encoding.content_type();
        let body = codec.encode(request).map_err(CallError::unfit)?;
        let reply = self.call_raw(&name_of::<R>(), &body, limit).await?;
        codec.decode(&reply).map_err(|error| CallError::Unreadable(error.message))
    }

    /// Calls the method called `name` (`service.method`), known to this library or not. Bodies are in the connection's
    /// encoding.
    ///
    /// # Errors
    /// [`CallError`]; its outcome says whether the call may have happened.
    pub async fn call_raw(&self, name: &str, body: &[u8], limit: Duration) -> Result<Bytes, CallError> {
        self.exchange(|id| ClientFrame::Call { id, call: name.into(), body }, limit).await
    }

    /// Asks the edge for a sign of life. Returns how long it took.
    ///
    /// # Errors
    /// [`CallError`] when none came within `limit`.
    pub async fn ping(&self, limit: Duration) -> Result<Duration, CallError> {
        let start = Instant::now();
        self.exchange(|id| ClientFrame::Ping { id }, limit).await?;
        Ok(start.elapsed())
    }

    /// Sends one frame and waits for its answer.
    async fn exchange<'a>(&self, frame: impl FnOnce(u64) -> ClientFrame<'a>, limit: Duration) -> Answer {
        let deadline = Instant::now() + limit;
        let late = |_| CallError::NotSent("too many calls are open".into());
        let gone = || CallError::NotSent(self.closed().map_or_else(String::new, |closed| closed.to_string()));
        let _room = timeout_at(deadline, self.room.acquire()).await.map_err(late)?.map_err(|_| gone())?;
        let (ticket, answer) = self.calls.open()?;
        let bytes = frame(ticket.id)
            .encode(self.encoding, self.is_stream)
            .map_err(|message| CallError::unfit(Error::invalid(message)))?;
        if bytes.len() > MAX_CLIENT_FRAME {
            let message =
                format!("a request is at most {MAX_CLIENT_FRAME} bytes, this one has {}", bytes.len());
            return Err(CallError::unfit(Error::new(Code::TooLarge, message)));
        }
        let outgoing = Outgoing { id: ticket.id, frame: bytes };
        timeout_at(deadline, self.outgoing.send(outgoing)).await.map_err(late)?.map_err(|_| gone())?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(ticket.give_up("the connection was closed")),
            Err(_) => Err(ticket.give_up("the deadline passed")),
        }
    }

    /// Why the connection is closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.calls.closed()
    }
}

const fn passes_an_edge(exposures: &[Exposure]) -> bool {
    let mut i = 0;
    while i < exposures.len() {
        if matches!(exposures[i], Exposure::Client | Exposure::Admin) {
            return true;
        }
        i += 1;
    }
    false
}

/// The name of a method in the client protocol, which leaves version 1 out.
fn name_of<R: Method>() -> String {
    format!("{}.{}", R::SPEC.service, R::SPEC.called)
}
