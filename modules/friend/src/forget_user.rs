//! `friend.forget_user`: removes everything about a deleted user, and tells the friends.

use broker_schemas::friend::{ForgetUser, RemovedEvent};
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

/// How many relations one transaction deletes.
const BATCH: u32 = 256;

impl Handle<ForgetUser> for Module {
    /// Doesn't wait until the message module knows, for that one is told by the user module itself that the user is
    /// gone. The gates follow through the outbox.
    async fn handle(&self, _: &Call<Part>, request: ForgetUser) -> Result<Done> {
        loop {
            let forgotten = self.store.forget(request.user, BATCH).await?;
            if forgotten.is_empty() {
                return Ok(Done {});
            }
            let told = forgotten
                .into_iter()
                .filter(|(_, relation)| relation.flipped().is_shown())
                .map(|(pair, _)| pair.other);
            self.push(told, &RemovedEvent { user: request.user }).await;
        }
    }
}
