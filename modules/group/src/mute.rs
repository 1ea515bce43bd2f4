//! `group.mute`: keeps a member, or every plain member, from writing until a moment; or lets them write again.

use broker_schemas::group::{Change, Mute};
use broker_schemas::rights::Role;
use broker_schemas::{Done, Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, check_rank, in_force, not_a_member};
use crate::{Module, Settings};

impl Handle<Mute> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Mute) -> Result<Done> {
        if let Some(user) = request.user {
            check_other(call.caller.user(), user)?;
        }
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Mute {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let now = Timestamp::now();
        let until = in_force(self.until, now);
        let before = match self.user {
            Some(user) => mute_of(allowed, user).await?,
            None => allowed.group.muted_until,
        };
        if in_force(before, now) == until {
            return Ok(Applied::Nothing);
        }
        match self.user {
            Some(user) => allowed.set_mute(user, until).await?,
            None => allowed.group.muted_until = until,
        }
        Ok(Applied::Changed(Change::Muted { user: self.user, until }))
    }
}

/// # Errors
/// When `user` can't be muted by the caller.
async fn mute_of(allowed: &mut Allowed<Mute>, user: UserId) -> Result<Option<Timestamp>> {
    let Being::Member(membership) = allowed.being(user).await? else {
        return Err(not_a_member().into());
    };
    check_rank(allowed.role, membership.role)?;
    match membership.role {
        Role::Member => Ok(membership.muted_until),
        Role::Administrator | Role::Owner => {
            Err(Error::conflict("user: only plain members can be muted: set the role first").into())
        }
    }
}
