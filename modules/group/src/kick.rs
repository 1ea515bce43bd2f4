//! `group.kick`: puts somebody out of a group, and keeps them out if asked to.

use broker_schemas::group::{Change, Kick};
use broker_schemas::{Done, Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, check_rank};
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Kick> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Kick) -> Result<Done> {
        check_other(call.caller.user(), request.user)?;
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Kick {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        let being = allowed.being(self.user).await?;
        if let Being::Member(membership) = being {
            check_rank(allowed.role, membership.role)?;
        }
        let blocks = self.block == Some(true) && being != Being::Blocked;
        if blocks {
            if allowed.count(Outsider::Blocked).await? >= limits.max_blocked {
                let message =
                    format!("{} people are kept out already, which is the limit", limits.max_blocked);
                return Err(Error::conflict(message).into());
            }
            allowed.add_outsider(self.user, Outsider::Blocked, Timestamp::now()).await?;
        }
        match being {
            Being::Member(_) => {
                allowed.remove_member(self.user).await?;
                Ok(Applied::Changed(Change::Kicked { user: self.user }))
            }
            _ if blocks => Ok(Applied::Quietly),
            _ => Ok(Applied::Nothing),
        }
    }
}
