//! `admin.campaign`: one campaign, and how far it is.

use std::time::Duration;

use broker_schemas::admin::{Campaign, CampaignState, GetCampaign};
use broker_schemas::message::GetReach;
use broker_schemas::{Error, Staff};
use natter_host::{Call, Handle, Result, Scope};

use crate::Module;
use crate::store::Stored;

/// How long an answer waits for the message module.
const PATIENCE: Duration = Duration::from_secs(2);

impl Handle<GetCampaign> for Module {
    async fn handle(&self, call: &Call<Staff>, request: GetCampaign) -> Result<Campaign> {
        self.noted_if_refused(call, &request, async {
            let stored = self.store.campaign(request.campaign).await?.ok_or_else(no_such_campaign)?;
            Ok(self.with_reach(&call.scope, stored).await)
        })
        .await
    }
}

/// The refusal of a campaign that doesn't exist.
pub(crate) fn no_such_campaign() -> Error {
    Error::not_found("there is no such campaign")
}

impl Module {
    /// A campaign with what the message module knows of it.
    pub(crate) async fn with_reach(&self, scope: &Scope, stored: Stored) -> Campaign {
        let Stored { id, plan, state, trouble, recipients, .. } = stored;
        let reach = match state {
            CampaignState::Draft => Ok(broker_schemas::message::Reach::default()),
            _ => self.bus.call(&scope.within(PATIENCE), &GetReach { campaign: id }).await,
        };
        Campaign {
            campaign: id,
            title: plan.title,
            text: plan.text,
            segment: plan.segment,
            starts_at: plan.starts_at,
            ends_at: plan.ends_at,
            hours: plan.hours,
            per_second: plan.per_second,
            state,
            trouble,
            recipients,
            reach: reach.inspect_err(|error| tracing::debug!(%error, campaign = id, "no reach")).ok(),
        }
    }
}
