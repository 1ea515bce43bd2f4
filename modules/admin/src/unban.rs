//! `admin.unban`: lets a banned user in again.

use broker_schemas::admin::Unban;
use broker_schemas::user::SetBan;
use broker_schemas::{Done, Moderator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Unban> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: Unban) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            self.check_target(call, user).await?;
            Ok(self.bus.call(&call.scope, &SetBan { user, ban: None }).await?)
        })
        .await
    }
}
