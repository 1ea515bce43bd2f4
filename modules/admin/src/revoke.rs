//! `admin.revoke`: takes a role from a user.

use broker_schemas::admin::Revoke;
use broker_schemas::user::SetRole;
use broker_schemas::{Done, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Revoke> for Module {
    /// Also one's own: whoever holds the credential of the bus's operator can appoint another.
    async fn handle(&self, call: &Call<Operator>, request: Revoke) -> Result<Done> {
        let Revoke { user, role } = request;
        self.audited(call, &request, Some(user), async {
            let set = SetRole { user, role, has: false };
            Ok(self.bus.call(&call.scope, &set).await?)
        })
        .await
    }
}
