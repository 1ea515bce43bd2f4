//! `admin.announce`: shows a text to everyone until its end.

use broker_schemas::admin::{Announce, Announced, AnnouncedEvent};
use broker_schemas::announcement::MAX;
use broker_schemas::subject::Audience;
use broker_schemas::{Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::horizon::check_end;
use crate::text::check_says_something;

impl Handle<Announce> for Module {
    async fn handle(&self, call: &Call<Operator>, request: Announce) -> Result<Announced> {
        self.audited(call, &request, None, async {
            let now = Timestamp::now();
            check_says_something("text", &request.text)?;
            check_end("until", request.until, now)?;
            let Some(event) = self.store.announce(&request.text, request.until, now).await? else {
                let full = format!("{MAX} announcements are in force: withdraw one first");
                return Err(Error::conflict(full).into());
            };
            self.push_announced(&event).await;
            Ok(Announced { announcement: event.announcement })
        })
        .await
    }
}

impl Module {
    /// Shows an announcement to who is online. Best effort: the record is in the tables, and clients ask for it.
    pub(crate) async fn push_announced(&self, event: &AnnouncedEvent) {
        if let Err(error) = self.bus.push(Audience::Everyone, event).await {
            tracing::warn!(%error, announcement = event.announcement, "not shown to who is online");
        }
    }
}
