//! Texts that a rule lets through and reports. The sender doesn't wait for it, nor learns of it.

use std::time::Duration;

use broker_schemas::admin::TakeReport;
use broker_schemas::{Conversation, Outcome, Seq, Text, UserId};
use natter_host::{Bus, Scope};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::report::subject;

/// Reports that may wait while the administration is down; further ones are left out, which the log says.
const QUEUE: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(3);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where reports of rules are put.
pub(crate) struct Watch {
    queue: mpsc::Sender<TakeReport>,
}

impl Watch {
    /// A queue, and the work that empties it.
    pub(crate) fn new(bus: Bus, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, reports) = mpsc::channel(QUEUE);
        (Self { queue }, hand_over(bus, reports, stop))
    }

    /// Has a message reported for the rule that has these words.
    pub(crate) fn report(&self, conversation: Conversation, seq: Seq, from: UserId, text: &str, words: &str) {
        let mut reason = format!("rule: {words}");
        reason.truncate(reason.floor_char_boundary(1024));
        let (Ok(about), Ok(reason)) = (subject(conversation, seq, from, text, None), Text::new(reason))
        else {
            return;
        };
        if self.queue.try_send(TakeReport { by: None, about, reason }).is_err() {
            tracing::warn!(%conversation, %seq, "too many reports of rules wait; this one is left out");
        }
    }
}

async fn hand_over(bus: Bus, mut reports: mpsc::Receiver<TakeReport>, stop: CancellationToken) {
    while let Some(Some(report)) = stop.run_until_cancelled(reports.recv()).await {
        let mut pause = SHORTEST_PAUSE;
        while let Err(error) = bus.call(&Scope::background(PATIENCE), &report).await {
            // Taken twice it is one report; refused, it stays so.
            if error.outcome() == Outcome::Rejected {
                tracing::debug!(%error, "a rule's report was refused");
                break;
            }
            tracing::debug!(%error, "reports of rules wait");
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
