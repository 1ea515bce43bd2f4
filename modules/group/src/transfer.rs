//! `group.transfer`: makes another member the owner.

use broker_schemas::group::{Change, Transfer};
use broker_schemas::rights::Role;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, not_a_member};
use crate::{Module, Settings};

impl Handle<Transfer> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Transfer) -> Result<Done> {
        check_other(call.caller.user(), request.user)?;
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Transfer {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let Being::Member(_) = allowed.being(self.user).await? else {
            return Err(not_a_member().into());
        };
        let caller = allowed.caller;
        allowed.set_role(caller, Role::Administrator).await?;
        allowed.set_role(self.user, Role::Owner).await?;
        allowed.group.passed_on = Some((caller, self.user));
        Ok(Applied::Changed(Change::Transferred { user: self.user }))
    }
}
