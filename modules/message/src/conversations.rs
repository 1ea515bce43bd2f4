//! `message.conversations`: a page of one's conversations, the one with the newest message first.

use broker_schemas::message::{Conversations, ListConversations};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::page::limit;
use crate::store::{Listed, Store};

impl Handle<ListConversations> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListConversations) -> Result<Conversations> {
        page(&self.store, call.caller.user(), &request).await
    }
}

async fn page(store: &Store, user: UserId, request: &ListConversations) -> Result<Conversations> {
    let &ListConversations { after, limit: asked } = request;
    let limit = limit(asked)?;
    // Where a conversation stands in the list tells when something was last said in it.
    if let Some(after) = after
        && store.seat(user, after).await?.is_none()
    {
        return Err(Error::not_found("after: you are in no such conversation").into());
    }
    let Listed { overviews, more } = store.list(user, after, limit, Timestamp::now()).await?;
    Ok(Conversations { conversations: overviews, more })
}
