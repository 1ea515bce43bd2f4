//! `announcement.list`: the announcements that one has not seen yet.

use broker_schemas::announcement::{ListUnseen, Unseen};
use broker_schemas::{SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ListUnseen> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: ListUnseen) -> Result<Unseen> {
        let announcements = self.store.unseen(call.caller.user(), Timestamp::now()).await?;
        Ok(Unseen { announcements })
    }
}
