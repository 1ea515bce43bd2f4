//! `message.set_gate`: the friend module says that two users may, or may no longer, write to each other.

use broker_schemas::message::SetGate;
use broker_schemas::{Conversation, Done, Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetGate> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetGate) -> Result<Done> {
        let SetGate { a, b, gate } = request;
        let conversation = Conversation::direct(a, b).map_err(Error::invalid)?;
        self.store.set_gate(conversation, gate.open, gate.version).await?;
        Ok(Done {})
    }
}
