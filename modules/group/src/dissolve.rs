//! `group.dissolve`: ends a group for good.

use broker_schemas::group::{Change, Dissolve};
use broker_schemas::{Done, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::store::Locked;
use crate::{Module, Settings};

impl Handle<Dissolve> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Dissolve) -> Result<Done> {
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Dissolve {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        allowed.dissolve().await.map(Applied::Changed)
    }
}

impl Locked {
    /// Ends the group. Its members stay, for they may go on reading.
    pub(crate) async fn dissolve(&mut self) -> Result<Change> {
        self.remove_outsiders().await?;
        self.group.dissolved_at = Some(Timestamp::now());
        Ok(Change::Dissolved {})
    }
}
