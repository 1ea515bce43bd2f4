//! `admin.staff`: who has a role.

use broker_schemas::admin::{ListStaff, StaffMembers};
use broker_schemas::{Staff, user};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ListStaff> for Module {
    async fn handle(&self, call: &Call<Staff>, request: ListStaff) -> Result<StaffMembers> {
        self.noted_if_refused(call, &request, async {
            let staff = self.bus.call(&call.scope, &user::ListStaff {}).await?;
            Ok(StaffMembers { members: staff.members })
        })
        .await
    }
}
