//! `group.leave`: leaves a group, or takes back that one asked to join.

use broker_schemas::group::{Change, Leave};
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Leave> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Leave) -> Result<Done> {
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Leave {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let user = allowed.caller;
        allowed.remove_member(user).await?;
        Ok(Applied::Changed(Change::Left { user }))
    }

    async fn apply_nothing(&self, allowed: &mut Allowed<Self>) -> Result<Applied> {
        let user = allowed.caller;
        if allowed.being(user).await? != Being::Asking {
            return Ok(Applied::Nothing);
        }
        allowed.remove_outsider(user, Outsider::Asking).await?;
        Ok(Applied::Quietly)
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::{Admission, Dissolve};
    use broker_schemas::{Code, GroupId};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn one_leaves_once_and_the_owner_not_at_all() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let leave = Leave { group };
            let left = Applied::Changed(Change::Left { user: user(2) });
            assert_eq!(fixture.act(2, &leave).await, left, "{}", fixture.database);
            assert_eq!(fixture.act(2, &leave).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.refused(1, &leave).await, Code::Forbidden, "{}", fixture.database);
            let nowhere = Leave { group: GroupId::new(4_711).unwrap() };
            assert_eq!(fixture.act(2, &nowhere).await, Applied::Nothing, "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn everybody_leaves_a_dissolved_group_the_owner_too() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            fixture.act(1, &Dissolve { group }).await;
            for number in [1, 2] {
                let left = Applied::Changed(Change::Left { user: user(number) });
                assert_eq!(fixture.act(number, &Leave { group }).await, left, "{}", fixture.database);
                assert_eq!(fixture.act(number, &Leave { group }).await, Applied::Nothing);
            }
            fixture.check(group).await;
        }
    }
}
