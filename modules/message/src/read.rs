//! `message.read`: up to where one has read; [`crate::cursors`] stores.

use broker_schemas::message::{Read, ReadEvent};
use broker_schemas::subject::Audience;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::cursors::{Cursor, Outcome};
use crate::history::no_such_conversation;

impl Handle<Read> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Read) -> Result<Done> {
        let user = call.caller.user();
        let Read { conversation, seq } = request;
        let known = self.store.member(user, conversation).await?.ok_or_else(no_such_conversation)?;
        if seq.get() > known.last_seq {
            return Err(
                Error::invalid(format!("seq: the last message is {}, got {seq}", known.last_seq)).into()
            );
        }
        if seq.get() <= known.read_seq {
            return Ok(Done {});
        }
        match self.reads.submit(Cursor { user, conversation, seq }).await? {
            Outcome::Kept => {}
            Outcome::Failed(error) => return Err(error.into()),
            Outcome::Moved => {
                let audience = conversation.pair().into_iter().flat_map(|(a, b)| [a, b]).map(Audience::User);
                let event = ReadEvent { conversation, user, seq };
                if let Err(error) = self.bus.push_each(audience, &event).await {
                    tracing::debug!(%error, "read cursor not pushed");
                }
            }
        }
        Ok(Done {})
    }
}
