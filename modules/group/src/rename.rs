//! `group.rename`: gives a group another name.

use broker_schemas::group::{Change, Rename};
use broker_schemas::{Done, Error, SignedIn, Text};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings, group};

impl Handle<Rename> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Rename) -> Result<Done> {
        let outcome = self.store.change(call.caller.user(), &request, &self.limits).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Rename {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let name = group::name(&self.name)?;
        if allowed.group.name == name {
            return Ok(Applied::Nothing);
        }
        let change = Change::Renamed { name: Text::new(name.as_str()).map_err(Error::invalid)? };
        allowed.group.name = name;
        Ok(Applied::Changed(change))
    }
}
