//! `message.typing`: told to whoever is there now, and nobody else ever.

use broker_schemas::message::{Typing, TypingEvent};
use broker_schemas::subject::Audience;
use broker_schemas::{Done, SignedIn, Timestamp};
use natter_host::silence::check_not_silenced;
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::push::{self, AsOf};

impl Handle<Typing> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Typing) -> Result<Done> {
        let (user, conversation) = (call.caller.user(), request.conversation);
        let seat = self.store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
        seat.check_may_write(Timestamp::now())?;
        if !self.limits.passes_typing(user, conversation) {
            return Ok(Done {});
        }
        check_not_silenced(self.store.reader(), user, Timestamp::now()).await?;
        let event = TypingEvent { conversation, user };
        match conversation.peer_of(user) {
            Some(peer) => {
                if let Err(error) = self.bus.push(Audience::User(peer), &event).await {
                    tracing::debug!(%error, "typing not pushed");
                }
            }
            None => push::to_all(&self.bus, conversation, AsOf::version(seat.place.version), &event).await,
        }
        Ok(Done {})
    }
}
