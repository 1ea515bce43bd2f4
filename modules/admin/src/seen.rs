//! `announcement.seen`: says that one has seen announcements.

use broker_schemas::announcement::MarkSeen;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<MarkSeen> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: MarkSeen) -> Result<Done> {
        self.store.mark_seen(call.caller.user(), &request.seen).await?;
        Ok(Done {})
    }
}
