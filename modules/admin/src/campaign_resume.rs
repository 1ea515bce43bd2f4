//! `admin.campaign_resume`: goes on with a campaign that was paused.

use broker_schemas::admin::ResumeCampaign;
use broker_schemas::{Done, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::campaigning::Step;

impl Handle<ResumeCampaign> for Module {
    async fn handle(&self, call: &Call<Operator>, request: ResumeCampaign) -> Result<Done> {
        self.audited(call, &request, None, self.move_campaign(&call.scope, request.campaign, Step::Resume))
            .await
    }
}
