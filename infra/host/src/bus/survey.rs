//! Asking every copy of every service at once, through the NATS service API (ADR-32).

use std::time::Duration;

use async_nats::HeaderMap;
use broker_schemas::Error;
use broker_schemas::subject::{self, Discovery};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::Bus;

/// The most answers that are kept: more copies than an installation has.
const ANSWERS: usize = 1_000;

impl Bus {
    /// Asks every copy of every service, and returns what came within `patience`, in JSON. Nobody knows who didn't answer.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when the question can't be asked.
    pub async fn survey(&self, question: Discovery, patience: Duration) -> Result<Vec<Bytes>, Error> {
        let subject = subject::survey(question);
        self.shared.check_permission(&subject)?;
        let outgoing = &self.shared.outgoing;
        if !outgoing.is_up() {
            return Err(Error::unavailable("not connected to the bus"));
        }
        let until = Instant::now() + patience;
        let inbox = outgoing.client().new_inbox();
        let mut answers = outgoing.client().subscribe(inbox.clone()).await.map_err(|error| {
            tracing::warn!(%error, "subscribe failed");
            Error::unavailable("the bus did not take the subscription")
        })?;
        // On the same connection, so that the server knows of the subscription when the first answer comes.
        outgoing.publish(subject.as_str(), Some(inbox), HeaderMap::new(), Bytes::new()).await?;
        let mut came = Vec::new();
        while let Ok(Some(answer)) = timeout_at(until, answers.next()).await {
            // The server's word that nobody is there.
            if answer.status.is_some() || came.len() == ANSWERS {
                break;
            }
            came.push(answer.payload);
        }
        Ok(came)
    }
}
