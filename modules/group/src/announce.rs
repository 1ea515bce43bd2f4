//! `group.announce`: sets the text that a group shows to whoever opens it.

use broker_schemas::group::{Announce, Announcement, Change};
use broker_schemas::{Done, Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings};

impl Handle<Announce> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Announce) -> Result<Done> {
        if request.text.contains('\0') {
            return Err(Error::invalid("text: the character U+0000 is not accepted").into());
        }
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Announce {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let shown = allowed.group.announcement.as_ref().map_or("", |announcement| &announcement.text);
        if shown == &*self.text {
            return Ok(Applied::Nothing);
        }
        let text = self.text.to_string();
        let announcement = Announcement { text, by: allowed.caller, at: Timestamp::now() };
        allowed.group.announcement = Some(announcement).filter(|_| !self.text.is_empty());
        Ok(Applied::Changed(Change::Announced { text: self.text.clone() }))
    }
}
