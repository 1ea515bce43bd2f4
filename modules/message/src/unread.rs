//! `message.unread`: where one stands in each of one's conversations.

use broker_schemas::SignedIn;
use broker_schemas::message::{GetUnread, SYNC_MAX, Unread};
use natter_host::{Call, Handle, Result};

use crate::Module;

/// Of how many conversations of a user an answer can tell, in other methods than this one: those with the newest messages,
/// dissolved groups last.
pub(crate) const CONVERSATIONS_MAX: usize = 8 * SYNC_MAX;

impl Handle<GetUnread> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: GetUnread) -> Result<Unread> {
        Ok(Unread { conversations: self.store.standings(call.caller.user(), SYNC_MAX).await? })
    }
}
