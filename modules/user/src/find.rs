//! `user.find`.

use broker_schemas::SignedIn;
use broker_schemas::user::{Find, Profile};
use natter_host::{Call, Handle, Result};

use crate::{Module, name, no_such_user};

impl Handle<Find> for Module {
    async fn handle(&self, _: &Call<SignedIn>, request: Find) -> Result<Profile> {
        Ok(self.store.find(&name::key(&request.name)).await?.ok_or_else(no_such_user)?)
    }
}
