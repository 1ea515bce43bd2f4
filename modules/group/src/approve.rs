//! `group.approve`: takes in somebody who asked to join.

use broker_schemas::group::Approve;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::{Module, Settings};

impl Handle<Approve> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Approve) -> Result<Done> {
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Approve {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        match allowed.being(self.user).await? {
            Being::Member(_) => Ok(Applied::Nothing),
            Being::Asking => allowed.take_in(self.user, "user: they are", limits).await,
            Being::Blocked | Being::Stranger => {
                Err(Error::not_found("user: they don't ask to join this group").into())
            }
        }
    }
}
