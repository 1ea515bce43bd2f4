//! `message.read`: up to where one has read; [`crate::cursors`] stores.

use broker_schemas::message::{Read, ReadEvent};
use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::cursors::{Cursor, Outcome};
use crate::push;

impl Handle<Read> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Read) -> Result<Done> {
        let user = call.caller.user();
        let Read { conversation, seq } = request;
        let seat = self.store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
        let last = seat.place.last_seq;
        if seq.get() > last {
            return Err(Error::invalid(format!("seq: the last message is {last}, got {seq}")).into());
        }
        if seq.get() <= seat.member.read_seq {
            return Ok(Done {});
        }
        match self.reads.submit(Cursor { user, conversation, seq }).await? {
            Outcome::Kept => {}
            Outcome::Failed(error) => return Err(error.into()),
            Outcome::Moved => {
                let event = ReadEvent { conversation, user, seq };
                if self.is_told_to_all(conversation).await? {
                    push::to_all(&self.bus, conversation, seat.place.version, &event).await;
                } else if let Err(error) = self.bus.push(Audience::User(user), &event).await {
                    tracing::debug!(%error, "read cursor not pushed");
                }
            }
        }
        Ok(Done {})
    }
}

impl Module {
    /// Whether everybody in the conversation is told at once of who has read.
    async fn is_told_to_all(&self, conversation: Conversation) -> Result<bool> {
        if conversation.group_id().is_none() {
            return Ok(true);
        }
        Ok(!self.store.has_more_members(conversation, self.settings.receipts_up_to).await?)
    }
}
