//! `user.lookup`.

use broker_schemas::Part;
use broker_schemas::user::{Lookup, Profiles};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Lookup> for Module {
    async fn handle(&self, _: &Call<Part>, request: Lookup) -> Result<Profiles> {
        Ok(Profiles { profiles: self.store.profiles(&request.users).await? })
    }
}
