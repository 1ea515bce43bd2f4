//! `group.join`: joins a group, or asks to.

use broker_schemas::SignedIn;
use broker_schemas::group::{Join, Joined};
use natter_host::{Call, Handle, Result};

use crate::authorise::{Allowed, Grant};
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::{Module, Settings};

impl Handle<Join> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Join) -> Result<Joined> {
        let user = call.caller.user();
        let outcome = self.store.change(user, &request, &self.limits).await?;
        if outcome.grant == Grant::MayAsk {
            if outcome.applied == Applied::Quietly {
                self.push_asked(&call.scope, request.group, user).await?;
            }
            return Ok(Joined { member: false });
        }
        self.finish(&call.scope, &outcome).await?;
        Ok(Joined { member: true })
    }
}

impl Rule for Join {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        let user = allowed.caller;
        if allowed.grant == Grant::May {
            return allowed.take_in(user, "you are", limits).await;
        }
        match allowed.being(user).await? {
            Being::Asking => Ok(Applied::Nothing),
            _ => allowed.let_ask(user, limits).await,
        }
    }
}
