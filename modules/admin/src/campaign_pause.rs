//! `admin.campaign_pause`: halts a campaign.

use broker_schemas::admin::PauseCampaign;
use broker_schemas::{Done, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::campaigning::Step;

impl Handle<PauseCampaign> for Module {
    async fn handle(&self, call: &Call<Operator>, request: PauseCampaign) -> Result<Done> {
        self.audited(call, &request, None, self.move_campaign(&call.scope, request.campaign, Step::Pause))
            .await
    }
}
