//! A client's connection as the rest of the edge sees it: who is signed in on it, which calls are open, and a way to say
//! something to the client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_schemas::{Error, SessionId, UserId};
use bytes::Bytes;
use natter_protocol::{Encoding, ServerFrame};
use serde::Serialize;
use tokio::time::Instant;

use crate::closing::Closing;
use crate::limits::Place;
use crate::outbox::{Frame, Outbox};

/// How frames for a connection are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) encoding: Encoding,
    /// Whether a frame needs a line end or a length.
    pub(crate) is_stream: bool,
}

/// Shared by the task that serves the connection and whoever has something for it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its name within the edge.
    pub(crate) number: u64,
    /// Kept for as long as a call is open, too: a client that leaves its calls behind still counts.
    pub(crate) place: Arc<Place>,
    pub(crate) outbox: Outbox,
    is_stream: bool,
    /// Whether the last frame was binary; so are the events to come.
    is_binary: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    open_calls: Vec<u64>,
    is_draining: bool,
}

#[derive(Debug)]
enum Standing {
    /// Nobody is signed in, since then.
    Anonymous(Instant),
    SignedIn(Session),
    /// The connection is closed.
    Gone,
}

/// A sign-in on this connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    pub(crate) id: SessionId,
    /// Proves it, as it travels in a header.
    pub(crate) passport: Arc<str>,
    /// When the passport is to be renewed.
    pub(crate) renew_at: Instant,
    /// How often renewing has failed in a row.
    pub(crate) failures: u32,
}

/// What the connection's own task has to know before each step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) open_calls: usize,
    /// Since when nobody is signed in.
    pub(crate) anonymous_since: Option<Instant>,
    pub(crate) is_draining: bool,
}

impl Connection {
    pub(crate) fn new(number: u64, place: Arc<Place>, is_stream: bool, out_queue_bytes: usize) -> Self {
        Self {
            number,
            place,
            outbox: Outbox::new(out_queue_bytes),
            is_stream,
            is_binary: AtomicBool::new(false),
            state: Mutex::new(State {
                standing: Standing::Anonymous(Instant::now()),
                open_calls: Vec::new(),
                is_draining: false,
            }),
        }
    }

    /// How events are written.
    pub(crate) fn wire(&self) -> Wire {
        let is_binary = self.is_binary.load(Ordering::Relaxed);
        let encoding = if is_binary { Encoding::Binary } else { Encoding::Json };
        Wire { encoding, is_stream: self.is_stream }
    }

    /// The client speaks `encoding`, and so events do from now on.
    pub(crate) fn speak(&self, encoding: Encoding) {
        self.is_binary.store(encoding == Encoding::Binary, Ordering::Relaxed);
    }

    /// Says `frame` to the client.
    pub(crate) fn send(&self, encoding: Encoding, frame: &ServerFrame<'_>) {
        self.send_encoded(encoding, frame.encode(encoding, self.is_stream));
    }

    /// Says a frame that was encoded for this connection's [`Wire`].
    pub(crate) fn send_encoded(&self, encoding: Encoding, bytes: Bytes) {
        self.outbox.push(Frame { encoding, bytes });
    }

    /// Tells the client why its session ends, and has the connection closed.
    pub(crate) fn end_session(&self, code: &str, message: &str, closing: Closing) {
        #[derive(Serialize)]
        struct SessionClosed<'a> {
            code: &'a str,
            message: &'a str,
        }
        let encoding = self.wire().encoding;
        // Two strings can always be encoded.
        let body = encoding.content_type().encode(&SessionClosed { code, message }).unwrap_or_default();
        self.send(encoding, &ServerFrame::Event { event: "session.closed".into(), body: &body });
        self.outbox.close(closing);
    }

    /// Has the connection closed once its open calls are answered.
    pub(crate) fn drain(&self) {
        self.lock().is_draining = true;
        self.outbox.wake();
    }

    pub(crate) fn situation(&self) -> Situation {
        let state = self.lock();
        Situation {
            open_calls: state.open_calls.len(),
            anonymous_since: match state.standing {
                Standing::Anonymous(since) => Some(since),
                Standing::SignedIn(_) | Standing::Gone => None,
            },
            is_draining: state.is_draining,
        }
    }

    /// Opens a call.
    ///
    /// # Errors
    /// When another open call has this id.
    pub(crate) fn begin_call(&self, id: u64) -> Result<(), Error> {
        let mut state = self.lock();
        if state.open_calls.contains(&id) {
            return Err(Error::invalid(format!("id: another call with the id {id} is still open")));
        }
        state.open_calls.push(id);
        Ok(())
    }

    /// Ends a call with what is said about it.
    pub(crate) fn end_call(&self, id: u64, encoding: Encoding, answer: &ServerFrame<'_>) {
        let bytes = answer.encode(encoding, self.is_stream);
        self.lock().open_calls.retain(|open| *open != id);
        self.send_encoded(encoding, bytes);
    }

    /// Who is signed in.
    pub(crate) fn session(&self) -> Option<Session> {
        match &self.lock().standing {
            Standing::SignedIn(session) => Some(session.clone()),
            Standing::Anonymous(_) | Standing::Gone => None,
        }
    }

    /// Signs `session` in and returns the one it replaces.
    ///
    /// # Errors
    /// Gives the session back when the connection is closed already.
    pub(crate) fn sign_in(&self, session: Session) -> Result<Option<Session>, Session> {
        let mut state = self.lock();
        if matches!(state.standing, Standing::Gone) {
            return Err(session);
        }
        Ok(std::mem::replace(&mut state.standing, Standing::SignedIn(session)).into_session())
    }

    /// Signs out whoever is signed in; the time to sign in starts again.
    pub(crate) fn sign_out(&self) -> Option<Session> {
        let mut state = self.lock();
        if matches!(state.standing, Standing::Gone) {
            return None;
        }
        std::mem::replace(&mut state.standing, Standing::Anonymous(Instant::now())).into_session()
    }

    /// Nobody can sign in any more. Returns who was.
    pub(crate) fn leave(&self) -> Option<Session> {
        std::mem::replace(&mut self.lock().standing, Standing::Gone).into_session()
    }

    /// Changes the session called `id`, if it is still signed in here. Returns how it was before.
    pub(crate) fn update_session(&self, id: SessionId, update: impl FnOnce(&mut Session)) -> Option<Session> {
        match &mut self.lock().standing {
            Standing::SignedIn(session) if session.id == id => {
                let before = session.clone();
                update(session);
                Some(before)
            }
            _ => None,
        }
    }

    /// The state is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn into_session(self) -> Option<Session> {
        match self {
            Self::SignedIn(session) => Some(session),
            Self::Anonymous(_) | Self::Gone => None,
        }
    }
}

#[cfg(test)]
pub(crate) fn for_test() -> Arc<Connection> {
    let place = crate::limits::Limits::new(1, 0).admit([127, 0, 0, 1].into()).unwrap();
    Arc::new(Connection::new(1, place, true, 1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_free_again_once_its_call_is_answered() {
        let connection = for_test();
        connection.begin_call(1).unwrap();
        assert!(connection.begin_call(1).is_err());
        connection.end_call(1, Encoding::Json, &ServerFrame::Ok { id: 1, body: b"{}" });
        assert!(connection.begin_call(1).is_ok());
    }

    #[test]
    fn nobody_signs_in_on_a_connection_that_is_closed() {
        let connection = for_test();
        let session = Session {
            user: UserId::new(7).unwrap(),
            id: SessionId::new(1).unwrap(),
            passport: "p".into(),
            renew_at: Instant::now(),
            failures: 0,
        };
        assert!(connection.sign_in(session.clone()).unwrap().is_none());
        assert_eq!(connection.leave().unwrap().id, session.id);
        assert!(connection.sign_in(session).is_err());
        assert!(connection.sign_out().is_none());
    }
}
