//! `admin.change_announcement`: changes an announcement's text or end.

use broker_schemas::admin::ChangeAnnouncement;
use broker_schemas::{Done, Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::horizon::check_end;
use crate::store::Changed;
use crate::text::check_says_something;
use crate::withdraw::no_such_announcement;

impl Handle<ChangeAnnouncement> for Module {
    async fn handle(&self, call: &Call<Operator>, request: ChangeAnnouncement) -> Result<Done> {
        self.audited(call, &request, None, async {
            let text = request.text.as_deref();
            if text.is_none() && request.until.is_none() {
                return Err(Error::invalid("expected a text, an end (until), or both").into());
            }
            text.map_or(Ok(()), |text| check_says_something("text", text))?;
            request.until.map_or(Ok(()), |until| check_end("until", until, Timestamp::now()))?;
            match self.store.change_announcement(request.announcement, text, request.until).await? {
                Changed::To(event) => self.push_announced(&event).await,
                Changed::Missing => return Err(no_such_announcement().into()),
                Changed::Withdrawn => return Err(Error::conflict("the announcement was withdrawn").into()),
            }
            Ok(Done {})
        })
        .await
    }
}
