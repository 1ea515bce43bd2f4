//! `admin.campaign_dry_run`: counts whom a campaign would reach now.

use broker_schemas::Operator;
use broker_schemas::admin::{DryRun, Forecast};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::campaign::no_such_campaign;

impl Handle<DryRun> for Module {
    async fn handle(&self, call: &Call<Operator>, request: DryRun) -> Result<Forecast> {
        self.noted_if_refused(call, &request, async {
            let stored = self.store.campaign(request.campaign).await?.ok_or_else(no_such_campaign)?;
            let recipients = self.courier.count(&call.scope, &stored.plan.segment).await?;
            Ok(Forecast { recipients, seconds: recipients.div_ceil(u64::from(stored.plan.per_second)) })
        })
        .await
    }
}
