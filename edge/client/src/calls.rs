//! The open calls of one connection, shared between who calls and who reads the answers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{CallError, Closed};

pub(crate) type Answer = Result<Bytes, CallError>;

/// The open calls, until the connection closes.
#[derive(Debug)]
pub(crate) struct Calls(Mutex<State>);

#[derive(Debug)]
enum State {
    Open { next_id: u64, calls: HashMap<u64, Open> },
    Closed(Closed),
}

#[derive(Debug)]
struct Open {
    /// Whether any of it may have left this process.
    sent: bool,
    answer: oneshot::Sender<Answer>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Open { next_id: 1, calls: HashMap::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a call; it stays open until it is answered or the [`Ticket`] is dropped.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when the connection is closed.
    pub(crate) fn open(&self) -> Result<(Ticket<'_>, oneshot::Receiver<Answer>), CallError> {
        match &mut *self.state() {
            State::Open { next_id, calls } => {
                let id = *next_id;
                *next_id += 1;
                let (answer, answered) = oneshot::channel();
                calls.insert(id, Open { sent: false, answer });
                Ok((Ticket { calls: self, id }, answered))
            }
            State::Closed(closed) => Err(CallError::NotSent(closed.to_string())),
        }
    }

    /// A number for a frame that nobody waits for.
    pub(crate) fn skip_id(&self) -> u64 {
        match &mut *self.state() {
            State::Open { next_id, .. } => {
                *next_id += 1;
                *next_id - 1
            }
            State::Closed(_) => 1,
        }
    }

    /// Marks a call as sent. Whether somebody still waits for it: if not, it need not be sent.
    pub(crate) fn send(&self, id: u64) -> bool {
        match &mut *self.state() {
            State::Open { calls, .. } => calls.get_mut(&id).map(|call| call.sent = true).is_some(),
            State::Closed(_) => false,
        }
    }

    /// Hands over the answer of a call; one that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        if let State::Open { calls, .. } = &mut *self.state()
            && let Some(call) = calls.remove(&id)
        {
            let _ = call.answer.send(answer);
        }
    }

    /// Ends every open call, and refuses further ones.
    pub(crate) fn close(&self, closed: Closed) {
        let before = std::mem::replace(&mut *self.state(), State::Closed(closed.clone()));
        if let State::Open { calls, .. } = before {
            for call in calls.into_values() {
                let reason = closed.to_string();
                let error =
                    if call.sent { CallError::Unanswered(reason) } else { CallError::NotSent(reason) };
                let _ = call.answer.send(Err(error));
            }
        }
    }

    /// Why the connection is closed, if it is.
    pub(crate) fn closed(&self) -> Option<Closed> {
        match &*self.state() {
            State::Open { .. } => None,
            State::Closed(closed) => Some(closed.clone()),
        }
    }
}

/// One open call; dropping it gives the call up.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    calls: &'a Calls,
    pub(crate) id: u64,
}

impl Ticket<'_> {
    /// What giving up now means for the caller.
    pub(crate) fn give_up(self, reason: &str) -> CallError {
        let unsent = match &*self.calls.state() {
            State::Open { calls, .. } => calls.get(&self.id).is_some_and(|call| !call.sent),
            State::Closed(_) => false,
        };
        let reason = reason.to_owned();
        if unsent { CallError::NotSent(reason) } else { CallError::Unanswered(reason) }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let State::Open { calls, .. } = &mut *self.calls.state() {
            calls.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_tells_sent_calls_from_unsent_ones() {
        let calls = Calls::new();
        let (sent, mut sent_answer) = calls.open().unwrap();
        let (_unsent, mut unsent_answer) = calls.open().unwrap();
        assert!(calls.send(sent.id));
        calls.close(Closed::broken("gone"));
        assert!(matches!(sent_answer.try_recv(), Ok(Err(CallError::Unanswered(_)))));
        assert!(matches!(unsent_answer.try_recv(), Ok(Err(CallError::NotSent(_)))));
        assert!(matches!(calls.open(), Err(CallError::NotSent(_))));
    }

    #[test]
    fn a_call_that_was_given_up_before_it_was_sent_is_never_sent() {
        let calls = Calls::new();
        let (ticket, _answer) = calls.open().unwrap();
        let id = ticket.id;
        assert!(matches!(ticket.give_up("too late"), CallError::NotSent(_)));
        assert!(!calls.send(id));
    }
}
