//! `group.unblock`: takes back that somebody is kept out.

use broker_schemas::group::Unblock;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Unblock> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Unblock) -> Result<Done> {
        self.change(call.caller.user(), &request).await?;
        Ok(Done {})
    }
}

impl Rule for Unblock {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        if allowed.being(self.user).await? != Being::Blocked {
            return Ok(Applied::Nothing);
        }
        allowed.remove_outsider(self.user, Outsider::Blocked).await?;
        Ok(Applied::Quietly)
    }
}
