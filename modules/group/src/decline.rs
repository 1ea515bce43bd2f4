//! `group.decline`: refuses somebody who asked to join.

use broker_schemas::group::Decline;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Decline> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Decline) -> Result<Done> {
        self.change(call.caller.user(), &request).await?;
        Ok(Done {})
    }
}

impl Rule for Decline {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        if allowed.being(self.user).await? != Being::Asking {
            return Ok(Applied::Nothing);
        }
        allowed.remove_outsider(self.user, Outsider::Asking).await?;
        Ok(Applied::Quietly)
    }
}
