//! Which waiting call a reply belongs to.
//!
//! The client library has this too, but there a call that nobody answers leaves its entry behind for good
//! (nats.rs#1617), and a call in flight when the connection breaks waits for its whole timeout.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use async_nats::Message;
use broker_schemas::permission::Holder;
use futures_util::StreamExt;
use tokio::sync::oneshot;

use super::Waiting;
use super::connection::Connection;

/// What a waiting call gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// A reply, or the server's word that nobody serves the subject.
    Message(Box<Message>),
    /// The connection broke: there may have been a reply, and it won't come.
    Lost,
}

#[derive(Debug)]
pub(super) struct Replies {
    prefix: String,
    next: AtomicU64,
    waiting: Arc<Mutex<Waiting>>,
    _router: tokio_util::task::AbortOnDropHandle<()>,
}

/// One call that waits; forgets itself when it is dropped.
pub(super) struct Awaited<'a> {
    pub(super) subject: String,
    pub(super) answer: oneshot::Receiver<Answer>,
    replies: &'a Replies,
    number: u64,
}

impl Replies {
    pub(super) async fn subscribe(connection: &Connection, holder: Holder) -> anyhow::Result<Self> {
        let prefix = connection.client().new_inbox();
        let mut inbox = connection
            .client()
            .subscribe(format!("{prefix}.*"))
            .await
            .with_context(|| format!("subscribe to the replies of {}", holder.name()))?;
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let mut lost = connection.lost();
        let routed = waiting.clone();
        let route = async move {
            loop {
                tokio::select! {
                    message = inbox.next() => {
                        let Some(message) = message else { return };
                        let number = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
                        let waiter = number.and_then(|number| lock(&routed).remove(&number));
                        if let Some(waiter) = waiter {
                            // A caller that left in this moment needs no answer.
                            let _ = waiter.send(Answer::Message(Box::new(message)));
                        }
                    }
                    changed = lost.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        for (_, waiter) in lock(&routed).drain() {
                            let _ = waiter.send(Answer::Lost);
                        }
                    }
                }
            }
        };
        let router = tokio_util::task::AbortOnDropHandle::new(crate::process::spawn(route));
        Ok(Self { prefix, next: AtomicU64::new(1), waiting, _router: router })
    }

    /// A subject for one reply.
    pub(super) fn expect(&self) -> Awaited<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(number, sender);
        Awaited { subject: format!("{}.{number}", self.prefix), answer, replies: self, number }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        lock(&self.replies.waiting).remove(&self.number);
    }
}

/// The map is consistent between any two statements, so a panic elsewhere doesn't spoil it.
fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
