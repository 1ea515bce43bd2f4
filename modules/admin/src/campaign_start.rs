//! `admin.campaign_start`: starts a campaign.

use broker_schemas::admin::StartCampaign;
use broker_schemas::{Done, Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result, Scope};

use crate::Module;
use crate::campaign::no_such_campaign;
use crate::campaigning::{RUNNING_MAX, Step, next};

/// How often a step is tried while others change the campaign's state at the same time.
const TRIES: u32 = 5;

impl Handle<StartCampaign> for Module {
    async fn handle(&self, call: &Call<Operator>, request: StartCampaign) -> Result<Done> {
        self.audited(call, &request, None, self.move_campaign(&call.scope, request.campaign, Step::Start))
            .await
    }
}

impl Module {
    /// Takes a step in a campaign's life.
    pub(crate) async fn move_campaign(&self, scope: &Scope, campaign: u64, step: Step) -> Result<Done> {
        for _ in 0..TRIES {
            let stored = self.store.campaign(campaign).await?.ok_or_else(no_such_campaign)?;
            let Some(to) = next(stored.state, step)? else { return Ok(Done {}) };
            let begins_to_send = matches!(step, Step::Start | Step::Resume);
            if begins_to_send {
                let now = Timestamp::now();
                if stored.plan.ends_at.is_some_and(|end| end <= now) {
                    return Err(Error::conflict("the campaign's end has passed").into());
                }
                // One that waits for its start takes no other's place.
                let sends = stored.plan.starts_at.is_none_or(|start| start <= now);
                if sends && self.store.running_campaigns(now).await? >= RUNNING_MAX as u64 {
                    return Err(Error::conflict(format!(
                        "{RUNNING_MAX} campaigns are running: pause one first"
                    ))
                    .into());
                }
            }
            let recipients = match step {
                Step::Start => Some(self.courier.count(scope, &stored.plan.segment).await?),
                _ => None,
            };
            if self.store.move_campaign(campaign, stored.state, to, recipients).await? {
                if begins_to_send {
                    self.campaigns_changed.notify_one();
                }
                return Ok(Done {});
            }
        }
        Err(Error::conflict("others are changing the campaign at the same time").into())
    }
}
