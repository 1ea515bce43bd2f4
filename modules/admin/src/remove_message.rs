//! `admin.remove_message`: erases what a message says.

use broker_schemas::admin::RemoveMessage;
use broker_schemas::message::{GetAuthor, Remove};
use broker_schemas::user::SystemAccount;
use broker_schemas::{Done, Error, Moderator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<RemoveMessage> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: RemoveMessage) -> Result<Done> {
        let RemoveMessage { conversation, seq } = request;
        // Asked before, so that the log says whose it was even if nobody learns what became of it.
        let author = self.bus.call(&call.scope, &GetAuthor { conversation, seq }).await;
        let on = author.as_ref().ok().map(|author| author.user);
        self.audited(call, &request, on, async {
            let author = author?.user;
            if self.spared(call).await?.contains(&author) {
                let message = "seq: the sender has a role, or is the platform: only an operator may do this";
                return Err(Error::forbidden(message).into());
            }
            // Members see by whom it was taken away: that it was the platform, and not which of its people.
            let by = self.bus.call(&call.scope, &SystemAccount {}).await?.user;
            Ok(self.bus.call(&call.scope, &Remove { conversation, seq, by }).await?)
        })
        .await
    }
}
