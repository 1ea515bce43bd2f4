//! `user.staff`: everyone with a role, and the platform's own account.

use broker_schemas::Part;
use broker_schemas::user::{ListStaff, Staff};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ListStaff> for Module {
    async fn handle(&self, _: &Call<Part>, _: ListStaff) -> Result<Staff> {
        Ok(Staff { members: self.store.staff().await?, system: self.store.known_system_account().await? })
    }
}
