//! Reading a whole conversation.

use std::time::Duration;

use broker_schemas::message::{self, Entry};
use broker_schemas::{Code, Conversation, Outcome, Seq};
use tokio::time::{Instant, sleep};

use super::{Client, DRAIN};
use crate::history::{Event, Operation, Recorder, Step};

const PAGE: u32 = message::PAGE_MAX;

/// Reads the whole history, from its end, and logs it from its beginning.
pub(super) async fn read_all(client: &Client, conversation: Conversation, recorder: &Recorder) {
    let event = |step| client.event(Operation::Sync, step).within(conversation);
    recorder.event(event(Step::Invoke));
    let deadline = Instant::now() + DRAIN;
    let mut pages: Vec<Vec<Entry>> = Vec::new();
    let mut before = None;
    loop {
        match client.chat.history(conversation, before, PAGE).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                before = page.first().map(|entry| entry.seq);
                pages.push(page);
                if before == Seq::new(1).ok() {
                    break;
                }
            }
            // Not a member: what a group answers to strangers.
            Err(error) if error.outcome() == Outcome::Rejected && error.code() == Code::NotFound => {
                return recorder.event(Event { why: error.to_string(), ..event(Step::Fail) });
            }
            Err(error) if Instant::now() < deadline => {
                sleep(error.retry_after().unwrap_or(Duration::from_millis(200))).await;
            }
            Err(error) => return recorder.event(Event { why: error.to_string(), ..event(Step::Info) }),
        }
    }
    for entry in pages.iter().rev().flatten() {
        recorder.event(client.sight(Operation::Sync, entry));
    }
    recorder.event(event(Step::Ok));
}
