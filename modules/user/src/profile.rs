//! `user.profile`.

use broker_schemas::SignedIn;
use broker_schemas::user::{GetProfile, Profile};
use natter_host::{Call, Handle, Result};

use crate::{Module, no_such_user};

impl Handle<GetProfile> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: GetProfile) -> Result<Profile> {
        let user = request.user.unwrap_or(call.caller.user());
        Ok(self.store.profiles(&[user]).await?.pop().ok_or_else(no_such_user)?)
    }
}
