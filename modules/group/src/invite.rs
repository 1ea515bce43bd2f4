//! `group.invite`: puts a friend into a group.

use broker_schemas::group::Invite;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other};
use crate::{Module, Settings};

impl Handle<Invite> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Invite) -> Result<Done> {
        let caller = call.caller.user();
        check_other(caller, request.user)?;
        self.silences.check(caller).await?;
        // First, so that nobody is asked about for who may not invite, or in vain.
        let seen = self.store.look(caller, &request).await?;
        let being = self.store.being(seen.group.id, request.user).await?;
        if !matches!(being, Being::Member(_)) {
            self.check_friends(&call.scope, "user", caller, &[request.user]).await?;
        }
        let outcome = self.change(caller, &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Invite {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        match allowed.being(self.user).await? {
            Being::Member(_) => Ok(Applied::Nothing),
            Being::Blocked => {
                Err(Error::conflict("user: they are kept out of this group: unblock them first").into())
            }
            Being::Asking | Being::Stranger => allowed.take_in(self.user, "user: they are", limits).await,
        }
    }
}
