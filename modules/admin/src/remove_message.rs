//! `admin.remove_message`: erases what a message says.

use broker_schemas::admin::RemoveMessage;
use broker_schemas::message::Remove;
use broker_schemas::{Done, Moderator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<RemoveMessage> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: RemoveMessage) -> Result<Done> {
        let RemoveMessage { conversation, seq } = request;
        self.audited(call, &request, None, async {
            let by = call.caller.signed_in().user();
            let spared = self.spared(call).await?;
            Ok(self.bus.call(&call.scope, &Remove { conversation, seq, by, spared }).await?)
        })
        .await
    }
}
