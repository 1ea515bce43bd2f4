//! `group.leave`: leaves a group, or takes back that one asked to join.

use broker_schemas::group::{Change, Leave};
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Leave> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Leave) -> Result<Done> {
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Leave {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let user = allowed.caller;
        allowed.remove_member(user).await?;
        Ok(Applied::Changed(Change::Left { user }))
    }

    async fn apply_nothing(&self, allowed: &mut Allowed<Self>) -> Result<Applied> {
        let user = allowed.caller;
        if allowed.being(user).await? != Being::Asking {
            return Ok(Applied::Nothing);
        }
        allowed.remove_outsider(user, Outsider::Asking).await?;
        Ok(Applied::Quietly)
    }
}
