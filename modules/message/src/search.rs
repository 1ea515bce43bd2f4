//! `message.search`: finds messages by words, in the conversations one is in.

use broker_schemas::message::{Found, SKIP_MAX, Search};
use broker_schemas::{Error, SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::page::{Page, limit};
use crate::store::{Hits, Store};
use crate::words::{WORDS_MAX, question, words};

impl Handle<Search> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Search) -> Result<Found> {
        find(&self.store, call.caller.user(), &request).await
    }
}

pub(crate) async fn find(store: &Store, user: UserId, request: &Search) -> Result<Found> {
    let mut page = Page::new(limit(request.limit)?);
    let skip = request.skip.unwrap_or(0);
    if skip > SKIP_MAX {
        return Err(Error::invalid(format!("skip: expected 0 to {SKIP_MAX}, got {skip}")).into());
    }
    let words = words(&request.text);
    if words.is_empty() || words.len() > WORDS_MAX {
        return Err(Error::invalid(format!(
            "text: expected 1 to {WORDS_MAX} words of letters and digits, got {}",
            words.len()
        ))
        .into());
    }
    if let Some(conversation) = request.conversation
        && store.seat(user, conversation).await?.is_none()
    {
        return Err(no_such_conversation().into());
    }
    let question = question(store.dialect(), &words);
    let hits = Hits { user, question, conversation: request.conversation, skip };
    store.find(&mut page, &hits).await?;
    store.add_reactions(&mut page, user).await?;
    Ok(Found { messages: page.entries, more: page.more })
}
