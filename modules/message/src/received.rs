//! `message.received`: a client says that it has a message of a campaign; [`crate::receipts`] stores.

use broker_schemas::message::Received;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::receipts::Receipt;

impl Handle<Received> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Received) -> Result<Done> {
        let Received { conversation, seq } = request;
        let seat = self.store.seat(call.caller.user(), conversation).await?;
        let last = seat.ok_or_else(no_such_conversation)?.place.last_seq;
        if seq.get() > last {
            return Err(Error::invalid(format!("seq: the last message is {last}, got {seq}")).into());
        }
        // Said twice, or where no campaign was sent, it costs no write.
        if self.store.is_to_receive(conversation, seq).await? {
            self.receipts.submit(Receipt { conversation, seq }).await??;
        }
        Ok(Done {})
    }
}
