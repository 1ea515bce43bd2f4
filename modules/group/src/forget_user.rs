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
        // First: whoever makes the user a member from now on sees it, and whoever was about to has done so.
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
        self.forget_mutes(user).await
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker_schemas::Code;
    use broker_schemas::group::{Admission, Dissolve, Join, Leave};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::{Fixture, fixtures, kick, refusal, set_role};

    async fn forget(fixture: &Fixture, number: u64) {
        fixture.store.forget_user(user(number)).await.unwrap();
    }

    fn left(number: u64) -> Change {
        Change::Left { user: user(number) }
    }

    #[tokio::test]
    async fn a_group_passes_to_the_oldest_administrator_else_to_the_oldest_member() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[]).await;
            for number in [7, 3, 5, 4] {
                fixture.act(number, &Join { group }).await;
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            for number in [4, 5] {
                fixture.act(1, &set_role(group, number, Role::Administrator)).await;
            }
            let mut told = fixture.changes(group).await.len();
            for (gone, next) in [(1, 5), (5, 4), (4, 7), (7, 3)] {
                forget(&fixture, gone).await;
                assert_eq!(fixture.role(group, next).await, Some(Role::Owner), "{}", fixture.database);
                let changes = fixture.changes(group).await;
                let transferred = Change::Transferred { user: user(next) };
                assert_eq!(changes[told..], [transferred, left(gone)], "{}", fixture.database);
                told = changes.len();
                fixture.check(group).await;
            }
            forget(&fixture, 3).await;
            let changes = fixture.changes(group).await;
            assert_eq!(changes[told..], [Change::Dissolved {}, left(3)], "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn everything_about_the_user_goes_however_much_it_is() {
        for mut fixture in fixtures().await {
            fixture.limits.max_groups = 1_000;
            let mut groups = Vec::new();
            for index in 0..BATCH + 2 {
                let group = fixture.group(Admission::Approval, &[2]).await;
                if index % 2 == 0 {
                    fixture.act(2, &Leave { group }).await;
                    fixture.act(2, &Join { group }).await;
                }
                groups.push(group);
            }
            let [ended, keeps_out] = [fixture.group(Admission::Open, &[2]).await, groups[1]];
            fixture.act(1, &Dissolve { group: ended }).await;
            fixture.act(1, &kick(keeps_out, 2, true)).await;
            forget(&fixture, 2).await;
            for group in groups.into_iter().chain([ended]) {
                assert_eq!(fixture.being(group, 2).await, Being::Stranger, "{}", fixture.database);
                fixture.check(group).await;
            }
            let versions = fixture.version(ended).await;
            forget(&fixture, 2).await;
            assert_eq!(fixture.version(ended).await, versions, "{}: once", fixture.database);
        }
    }

    #[tokio::test]
    async fn who_is_gone_gets_into_no_group_any_more() {
        for fixture in fixtures().await {
            let open = fixture.group(Admission::Open, &[]).await;
            let by_approval = fixture.group(Admission::Approval, &[]).await;
            forget(&fixture, 2).await;
            for group in [open, by_approval] {
                assert_eq!(fixture.refused(2, &Join { group }).await, Code::NotFound, "{}", fixture.database);
            }
            for (owner, members) in [(2, &[][..]), (1, &[3, 2])] {
                let refused = fixture.try_group(owner, Admission::Open, members).await;
                assert_eq!(refusal(refused).code, Code::NotFound, "{}", fixture.database);
            }
        }
    }

    /// For so long a change stays in its middle, so that what comes meanwhile comes then.
    const HELD: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn who_joins_or_asks_while_the_account_is_deleted_is_out_in_the_end() {
        for fixture in fixtures().await {
            for (number, admission) in [(2, Admission::Open), (3, Admission::Approval)] {
                let group = fixture.group(admission, &[]).await;
                let taken_in = tokio::sync::Notify::new();
                let joining = async {
                    let mut locked = fixture.store.lock(group).await.unwrap().unwrap();
                    if admission == Admission::Open {
                        locked.take_in(user(number), "you are", &fixture.limits).await.unwrap();
                        locked.record(user(number), &Change::Joined { user: user(number) }).await.unwrap();
                    } else {
                        locked.let_ask(user(number), &fixture.limits).await.unwrap();
                    }
                    taken_in.notify_one();
                    tokio::time::sleep(HELD).await;
                    locked.store().await.unwrap();
                };
                let forgotten = async {
                    taken_in.notified().await;
                    forget(&fixture, number).await;
                };
                tokio::join!(joining, forgotten);
                assert_eq!(fixture.being(group, number).await, Being::Stranger, "{}", fixture.database);
                fixture.check(group).await;
            }
        }
    }

    #[tokio::test]
    async fn a_group_that_is_made_while_an_account_is_deleted_is_without_it_in_the_end() {
        for fixture in fixtures().await {
            for (gone, owner, members) in [(2, 2, &[1, 3][..]), (4, 1, &[4, 3])] {
                // Who makes a group waits for this in the middle of it.
                let held = fixture.store.hold_counter().await;
                let forgotten = async {
                    tokio::time::sleep(HELD / 2).await;
                    let go_on = async {
                        tokio::time::sleep(HELD).await;
                        held.rollback().await.unwrap();
                    };
                    tokio::join!(forget(&fixture, gone), go_on);
                };
                let (made, ()) = tokio::join!(fixture.try_group(owner, Admission::Open, members), forgotten);
                match made {
                    Ok(group) => {
                        assert_eq!(fixture.members(group).await, [1, 3], "{}", fixture.database);
                        fixture.check(group).await;
                    }
                    refused => assert_eq!(refusal(refused).code, Code::NotFound, "{}", fixture.database),
                }
            }
        }
    }

    #[tokio::test]
    async fn a_group_has_one_owner_while_several_members_go_at_once() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2, 3, 4, 5]).await;
            tokio::join!(forget(&fixture, 1), forget(&fixture, 2), forget(&fixture, 3), forget(&fixture, 1));
            fixture.check(group).await;
            assert_eq!(fixture.role(group, 4).await, Some(Role::Owner), "{}", fixture.database);
        }
    }
}
