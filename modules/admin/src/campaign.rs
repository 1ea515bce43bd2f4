//! `admin.campaign`: one campaign, and how far it is.

use std::time::Duration;

use broker_schemas::admin::{Campaign, CampaignState, GetCampaign};
use broker_schemas::message::GetReach;
use broker_schemas::{Error, Staff, Timestamp};
use natter_host::{Call, Handle, Result, Scope};

use crate::Module;
use crate::campaigning::RUNNING_MAX;
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
        let waits = match state {
            CampaignState::Running => self.why_it_waits(id, Timestamp::now()).await,
            _ => None,
        };
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
            trouble: trouble.or_else(|| waits.map(str::to_owned)),
            recipients,
            reach: reach.inspect_err(|error| tracing::debug!(%error, campaign = id, "no reach")).ok(),
        }
    }
}

impl Module {
    /// Why a campaign that is due sends nothing now, though nothing is wrong with it.
    async fn why_it_waits(&self, id: u64, now: Timestamp) -> Option<&'static str> {
        let waits = self.store.waits_for_others(id, RUNNING_MAX as u64, now).await;
        let waits =
            waits.inspect_err(|failure| tracing::debug!(?failure, campaign = id, "not known why it waits"));
        waits.unwrap_or(false).then_some("waits until fewer campaigns are sent")
    }
}
