//! `message.history`: a page of a conversation.

use broker_schemas::message::{Entry, History, Messages, PAGE_BYTES, PAGE_DEFAULT, PAGE_MAX};
use broker_schemas::{Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<History> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: History) -> Result<Messages> {
        let limit = request.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Error::invalid(format!("limit: expected 1 to {PAGE_MAX}, got {limit}")).into());
        }
        let conversation = request.conversation;
        if self.store.member(call.caller.user(), conversation).await?.is_none() {
            return Err(no_such_conversation().into());
        }
        let before = request.before.map_or(i64::MAX, i64::from);
        let mut messages = self.store.page_before(conversation, before, i64::from(limit)).await?;
        messages.truncate(fitting(&messages));
        messages.reverse();
        Ok(Messages { messages })
    }
}

/// Not there, or not the caller's: the caller learns no difference.
pub(crate) fn no_such_conversation() -> Error {
    Error::not_found("conversation: you are in no such conversation")
}

/// How many of `entries` make a page: at least one, and no more than fit into its bytes.
pub(crate) fn fitting(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let over = entries.iter().position(|entry| {
        bytes += entry.text.len();
        bytes > PAGE_BYTES
    });
    over.map_or(entries.len(), |first_over| first_over.max(1))
}
