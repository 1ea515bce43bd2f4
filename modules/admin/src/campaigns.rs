//! `admin.campaigns`: a page of the campaigns.

use broker_schemas::Staff;
use broker_schemas::admin::{Campaigns, ListCampaigns};
use futures_util::{StreamExt, stream};
use natter_host::{Call, Handle, Result};

use crate::{Module, page};

/// Campaigns of which the message module is asked at once.
const AT_ONCE: usize = 8;

impl Handle<ListCampaigns> for Module {
    async fn handle(&self, call: &Call<Staff>, request: ListCampaigns) -> Result<Campaigns> {
        self.noted_if_refused(call, &request, async {
            let limit = page::limit(request.limit)?;
            let found = self.store.campaigns(request.before, limit + 1).await?;
            let asked = found.into_iter().map(|stored| self.with_reach(&call.scope, stored));
            let campaigns = stream::iter(asked).buffered(AT_ONCE).collect().await;
            let (campaigns, more) = page::fit(campaigns, limit);
            Ok(Campaigns { campaigns, more })
        })
        .await
    }
}
