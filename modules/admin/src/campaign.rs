//! `admin.campaign`: one campaign, and how far it is.

use std::time::Duration;

use broker_schemas::admin::{Campaign, CampaignState, GetCampaign};
use broker_schemas::message::GetReach;
use broker_schemas::{Error, Staff, Timestamp};
use natter_host::{Call, Handle, Result, Scope};

use crate::Module;
use crate::campaigning::{RUNNING_MAX, includes};
use crate::store::{NewCampaign, Stored};

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
            CampaignState::Running => self.why_it_waits(id, &plan, Timestamp::now()).await,
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
            trouble: waits.map(str::to_owned).or(trouble),
            recipients,
            reach: reach.inspect_err(|error| tracing::debug!(%error, campaign = id, "no reach")).ok(),
        }
    }
}

impl Module {
    /// Why a campaign that runs sends nothing now, though nothing is wrong.
    async fn why_it_waits(&self, id: u64, plan: &NewCampaign, now: Timestamp) -> Option<&'static str> {
        if let Some(words) = why_it_waits(plan, now) {
            return Some(words);
        }
        let waits = self.store.waits_for_others(id, RUNNING_MAX as u64, now).await;
        let waits =
            waits.inspect_err(|failure| tracing::debug!(?failure, campaign = id, "not known why it waits"));
        waits.unwrap_or(false).then_some("waits until fewer campaigns are sent")
    }
}

/// For which time a campaign that runs waits.
fn why_it_waits(plan: &NewCampaign, now: Timestamp) -> Option<&'static str> {
    if plan.starts_at.is_some_and(|start| now < start) {
        Some("waits for its start")
    } else if plan.hours.is_some_and(|hours| !includes(hours, now)) {
        Some("waits for its hours")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::admin::{Hours, Segment};

    #[test]
    fn a_campaign_that_waits_says_for_what() {
        let plan = NewCampaign {
            title: "Spring".into(),
            text: "Hello".into(),
            segment: Segment::All {},
            starts_at: Some(Timestamp(60_000)),
            ends_at: None,
            hours: Some(Hours { from_minute: 2, to_minute: 3 }),
            per_second: 1,
        };
        let waits = |now| why_it_waits(&plan, Timestamp(now));
        assert_eq!(waits(59_999), Some("waits for its start"));
        assert_eq!(waits(60_000), Some("waits for its hours"));
        assert_eq!(waits(120_000), None);
        assert_eq!(waits(180_000), Some("waits for its hours"));
    }
}
