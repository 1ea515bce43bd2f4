//! `message.groups_of`: an edge asks what its user is to receive.

use broker_schemas::Part;
use broker_schemas::message::{GetGroupsOf, GroupsOf};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::unread::CONVERSATIONS_MAX;

impl Handle<GetGroupsOf> for Module {
    async fn handle(&self, _: &Call<Part>, request: GetGroupsOf) -> Result<GroupsOf> {
        Ok(GroupsOf { groups: self.store.groups_of(request.user, CONVERSATIONS_MAX).await? })
    }
}
