//! Whether two users may write to each other: the friend module decides, the conversation's row remembers.
//!
//! The row is checked in the transaction that stores a message, so a send after an acknowledged block is refused by
//! every copy of the module, with no cache to go stale and no call on the way.

use broker_schemas::{Conversation, Error, friend};
use natter_host::{Result, Scope};

use crate::Module;

impl Module {
    /// Asks the friend module and remembers its answer; says whether there is anything to remember.
    pub(crate) async fn learn_gate(&self, scope: &Scope, conversation: Conversation) -> Result<bool> {
        let Some((a, b)) = conversation.pair() else { return Ok(false) };
        let gate = self.bus.call(scope, &friend::GetGate { a, b }).await.map_err(|error| {
            // Whatever became of the question, the message was not stored.
            Error::unavailable(format!("can't find out whether you are friends: {}", error.message))
        })?;
        if gate.version == 0 {
            return Ok(false);
        }
        self.store.set_gate(conversation, gate.open, gate.version).await?;
        Ok(true)
    }
}
