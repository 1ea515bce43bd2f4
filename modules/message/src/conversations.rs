//! `message.conversations`: one's conversations, the one with the newest message first.

use broker_schemas::SignedIn;
use broker_schemas::message::{Conversations, ListConversations, SYNC_MAX};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ListConversations> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: ListConversations) -> Result<Conversations> {
        let limit = i64::try_from(SYNC_MAX).unwrap_or(i64::MAX);
        Ok(Conversations { conversations: self.store.conversations(call.caller.user(), limit).await? })
    }
}
