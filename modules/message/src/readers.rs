//! `message.readers`: who has read a conversation up to where.

use broker_schemas::message::{ListReaders, Readers};
use broker_schemas::{Seq, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;

impl Handle<ListReaders> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListReaders) -> Result<Readers> {
        let ListReaders { conversation, seq } = request;
        self.store.seat(call.caller.user(), conversation).await?.ok_or_else(no_such_conversation)?;
        Ok(Readers { readers: self.store.readers(conversation, seq.map_or(0, Seq::get)).await? })
    }
}
