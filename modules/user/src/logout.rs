//! `user.logout`.

use broker_schemas::user::Logout;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Logout> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: Logout) -> Result<Done> {
        let presence = self.store.close_session(call.caller.user(), call.caller.session()).await?;
        self.tell_presence(&presence).await;
        call.detach("signed out");
        Ok(Done {})
    }
}
