//! `message.history`: a page of a conversation.

use broker_schemas::message::{History, Messages};
use broker_schemas::{Error, Seq, SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::page::{Page, limit};
use crate::store::{Range, Store};

impl Handle<History> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: History) -> Result<Messages> {
        page(&self.store, call.caller.user(), &request).await
    }
}

pub(crate) async fn page(store: &Store, user: UserId, request: &History) -> Result<Messages> {
    let &History { conversation, before, after, limit: asked } = request;
    let mut page = Page::new(limit(asked)?);
    if before.is_some() && after.is_some() {
        return Err(Error::invalid("after: expected only one of before and after").into());
    }
    let seat = store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
    let (first, last) = (seat.member.first_seq, seat.place.last_seq);
    match after {
        Some(after) => {
            let range = Range { conversation, after: after.get().max(first - 1), to: last };
            store.ranges(&mut page, &[range]).await?;
        }
        None => {
            let before = before.map_or(last + 1, Seq::get);
            store.page_before(&mut page, conversation, first, before).await?;
        }
    }
    store.add_reactions(&mut page, user).await?;
    if after.is_none() {
        page.entries.reverse();
    }
    Ok(Messages { messages: page.entries, more: page.more })
}
