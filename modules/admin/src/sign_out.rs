//! `admin.sign_out`: ends every session of a user.

use broker_schemas::admin::SignOut;
use broker_schemas::user::EndSessions;
use broker_schemas::{Done, Moderator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SignOut> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: SignOut) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            self.check_target(call, user).await?;
            Ok(self.bus.call(&call.scope, &EndSessions { user }).await?)
        })
        .await
    }
}
