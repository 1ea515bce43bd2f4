//! Telling the server which messages of campaigns arrived, so that who sent a campaign learns how far it has come.

use std::collections::BTreeMap;

use broker_schemas::message::{Entry, Received};
use broker_schemas::{Conversation, Seq};

/// How many conversations wait to be told of; what comes beyond is told with the next message of its conversation.
const WAITING: usize = 64;

/// What the server has yet to be told.
#[derive(Debug, Default)]
pub(crate) struct Receipts(BTreeMap<Conversation, Seq>);

impl Receipts {
    /// A message arrived.
    pub(crate) fn note(&mut self, entry: &Entry) {
        if entry.campaign.is_none() || (self.0.len() >= WAITING && !self.0.contains_key(&entry.conversation))
        {
            return;
        }
        let furthest = self.0.entry(entry.conversation).or_insert(entry.seq);
        *furthest = entry.seq.max(*furthest);
    }

    /// What to tell next; it waits until it was [`Receipts::told`].
    pub(crate) fn next(&self) -> Option<Received> {
        self.0.first_key_value().map(|(&conversation, &seq)| Received { conversation, seq })
    }

    /// The server knows this, or won't hear of it.
    pub(crate) fn told(&mut self, receipt: &Received) {
        if self.0.get(&receipt.conversation).is_some_and(|furthest| *furthest <= receipt.seq) {
            self.0.remove(&receipt.conversation);
        }
    }
}

/// The receipt of a page of a conversation; nothing, if nothing in it was sent by a campaign.
pub(crate) fn of_page(page: &[Entry]) -> Option<Received> {
    let mut receipts = Receipts::default();
    page.iter().for_each(|entry| receipts.note(entry));
    receipts.next()
}
