//! `admin.dissolve_group`: ends a group for good.

use broker_schemas::admin::DissolveGroup;
use broker_schemas::group::DissolveByStaff;
use broker_schemas::{Done, Moderator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<DissolveGroup> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: DissolveGroup) -> Result<Done> {
        let group = request.group;
        self.audited(call, &request, None, async {
            let by = call.caller.signed_in().user();
            let spared = self.spared(call).await?;
            Ok(self.bus.call(&call.scope, &DissolveByStaff { group, by, spared }).await?)
        })
        .await
    }
}
