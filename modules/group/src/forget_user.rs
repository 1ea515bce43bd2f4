//! `group.forget_user`: takes a deleted user out of every group.

use broker_schemas::group::{Change, ForgetUser};
use broker_schemas::rights::Role;
use broker_schemas::{Done, GroupId, Part, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::group::Being;
use crate::store::{Locked, Store};

/// How many groups are read at once, and how many rows one transaction deletes.
const BATCH: u32 = 256;

impl Handle<ForgetUser> for Module {
    /// Doesn't wait until the message module knows, for that one is told by the user module itself that the user is
    /// gone. The changes follow through the outbox.
    async fn handle(&self, _: &Call<Part>, request: ForgetUser) -> Result<Done> {
        self.store.forget_user(request.user).await?;
        Ok(Done {})
    }
}

impl Store {
    async fn forget_user(&self, user: UserId) -> Result<()> {
        // First: whoever is about to make the user a member sees it, or has done so by the time of what follows.
        self.depart(user).await?;
        loop {
            let groups = self.memberships(user, BATCH).await?;
            if groups.is_empty() {
                break;
            }
            for group in groups {
                self.take_out(group, user).await?;
            }
        }
        while self.forget_outsider(user, BATCH).await? > 0 {}
        Ok(())
    }

    async fn take_out(&self, group: GroupId, user: UserId) -> Result<()> {
        let Some(mut locked) = self.lock(group).await? else { return Ok(()) };
        let Being::Member(membership) = locked.being(user).await? else {
            return locked.release().await;
        };
        if membership.role == Role::Owner && locked.group.dissolved_at.is_none() {
            let passed_on = pass_on(&mut locked, user).await?;
            locked.record(user, &passed_on).await?;
        }
        locked.remove_member(user).await?;
        locked.record(user, &Change::Left { user }).await?;
        locked.store().await?;
        Ok(())
    }
}

/// Gives the group of `owner` to somebody else, or ends it where there is nobody.
async fn pass_on(locked: &mut Locked, owner: UserId) -> Result<Change> {
    let Some(successor) = locked.successor().await? else { return locked.dissolve().await };
    locked.set_role(owner, Role::Administrator).await?;
    locked.set_role(successor, Role::Owner).await?;
    locked.group.passed_on = None;
    Ok(Change::Transferred { user: successor })
}
