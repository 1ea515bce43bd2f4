//! `message.sync`: what a client doesn't have yet, of all its user's conversations.

use std::collections::HashMap;

use broker_schemas::message::{Missed, PAGE_MAX, SYNC_MAX, Sync};
use broker_schemas::{Conversation, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::history::fitting;

/// How many conversations one query reads; the rest is what `more` is for.
const AT_ONCE: usize = 128;

impl Handle<Sync> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Sync) -> Result<Missed> {
        let conversations =
            self.store.conversations(call.caller.user(), i64::try_from(SYNC_MAX).unwrap_or(i64::MAX)).await?;
        let wanted: Vec<(Conversation, i64, i64)> = conversations
            .into_iter()
            .map(|known| {
                let have = request.have.get(&known.conversation).copied().unwrap_or(known.read_seq);
                (known.conversation, i64::try_from(have).unwrap_or(i64::MAX), known.last_seq.cast_signed())
            })
            .filter(|(_, have, last)| have < last)
            .collect();
        if wanted.is_empty() {
            return Ok(Missed { messages: Vec::new(), more: false });
        }
        // No conversation can add more than a page, so no query reads more than it may have to.
        let page = i64::from(PAGE_MAX);
        let ranges: Vec<_> = wanted
            .iter()
            .take(AT_ONCE)
            .map(|&(id, have, last)| (id, have, last.min(have.saturating_add(page))))
            .collect();
        let mut messages = self.store.ranges(&ranges, page).await?;
        messages.truncate(fitting(&messages));
        let mut reached: HashMap<_, _> = wanted.iter().map(|&(id, have, _)| (id, have)).collect();
        for message in &messages {
            reached.insert(message.conversation, i64::from(message.seq));
        }
        let more = wanted.iter().any(|(id, _, last)| reached.get(id).is_some_and(|reached| reached < last));
        Ok(Missed { messages, more })
    }
}
