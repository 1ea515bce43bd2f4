//! `admin.broadcast`: shows a text to everyone who is online now.

use broker_schemas::admin::{Broadcast, BroadcastEvent};
use broker_schemas::subject::Audience;
use broker_schemas::{Done, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::text::check_says_something;

impl Handle<Broadcast> for Module {
    async fn handle(&self, call: &Call<Operator>, request: Broadcast) -> Result<Done> {
        self.audited(call, &request, None, async {
            check_says_something("text", &request.text)?;
            let event = BroadcastEvent { text: request.text.to_string(), at: Timestamp::now() };
            self.bus.push(Audience::Everyone, &event).await?;
            Ok(Done {})
        })
        .await
    }
}
