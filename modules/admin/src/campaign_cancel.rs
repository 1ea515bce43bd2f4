//! `admin.campaign_cancel`: ends a campaign for good.

use broker_schemas::admin::CancelCampaign;
use broker_schemas::{Done, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::campaigning::Step;

impl Handle<CancelCampaign> for Module {
    async fn handle(&self, call: &Call<Operator>, request: CancelCampaign) -> Result<Done> {
        self.audited(call, &request, None, self.move_campaign(&call.scope, request.campaign, Step::Cancel))
            .await
    }
}
