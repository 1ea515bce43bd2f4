//! `message.reach`: how far a campaign has come.

use broker_schemas::Part;
use broker_schemas::message::{GetReach, Reach};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<GetReach> for Module {
    async fn handle(&self, _: &Call<Part>, request: GetReach) -> Result<Reach> {
        self.store.reach(request.campaign).await
    }
}
