//! `group.configure`: sets how one gets into a group, and what new members see.

use broker_schemas::group::{Change, Configure};
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings};

impl Handle<Configure> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Configure) -> Result<Done> {
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Configure {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let group = &mut allowed.group;
        let admission = self.admission.unwrap_or(group.admission);
        let visible = self.visible.unwrap_or(group.visible);
        if (admission, visible) == (group.admission, group.visible) {
            return Ok(Applied::Nothing);
        }
        (group.admission, group.visible) = (admission, visible);
        Ok(Applied::Changed(Change::Configured { admission, visible }))
    }
}
