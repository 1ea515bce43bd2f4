//! `user.find_users`: a page of the users who meet a condition.

use broker_schemas::user::{FindUsers, FoundUsers};
use broker_schemas::{Error, Part, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;

/// The most users in one answer.
const PAGE_MAX: u32 = 1_024;

impl Handle<FindUsers> for Module {
    async fn handle(&self, _: &Call<Part>, request: FindUsers) -> Result<FoundUsers> {
        let limit = request.limit;
        if limit > PAGE_MAX {
            return Err(Error::invalid(format!("limit: expected 0 to {PAGE_MAX}, got {limit}")).into());
        }
        let now = Timestamp::now();
        if limit == 0 {
            let count = self.store.count_found(&request, now).await?;
            return Ok(FoundUsers { users: Vec::new(), count: Some(count) });
        }
        Ok(FoundUsers { users: self.store.find_users(&request, now).await?, count: None })
    }
}
