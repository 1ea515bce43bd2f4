//! `admin.announcements`: a page of the announcements, as staff sees them.

use broker_schemas::Staff;
use broker_schemas::admin::{Announcements, ListAnnouncements};
use natter_host::{Call, Handle, Result};

use crate::{Module, page};

impl Handle<ListAnnouncements> for Module {
    async fn handle(&self, call: &Call<Staff>, request: ListAnnouncements) -> Result<Announcements> {
        self.noted_if_refused(call, &request, async {
            let limit = page::limit(request.limit)?;
            let found = self.store.announcements(request.before, limit + 1).await?;
            let (announcements, more) = page::fit(found, limit);
            Ok(Announcements { announcements, more })
        })
        .await
    }
}
