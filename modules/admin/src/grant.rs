//! `admin.grant`: gives a user a role.

use broker_schemas::admin::Grant;
use broker_schemas::user::SetRole;
use broker_schemas::{Done, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Grant> for Module {
    async fn handle(&self, call: &Call<Operator>, request: Grant) -> Result<Done> {
        let Grant { user, role } = request;
        self.audited(call, &request, Some(user), async {
            let set = SetRole { user, role, has: true };
            Ok(self.bus.call(&call.scope, &set).await?)
        })
        .await
    }
}
