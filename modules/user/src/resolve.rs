//! `user.resolve`: who has a name.

use broker_schemas::Part;
use broker_schemas::user::{Registered, Resolve};
use natter_host::{Call, Handle, Result};

use crate::{Module, name, no_such_user};

impl Handle<Resolve> for Module {
    async fn handle(&self, _: &Call<Part>, request: Resolve) -> Result<Registered> {
        let found = self.store.find(&name::key(&request.name)).await?.ok_or_else(no_such_user)?;
        Ok(Registered { user: found.user })
    }
}
