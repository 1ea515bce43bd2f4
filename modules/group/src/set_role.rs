//! `group.set_role`: makes a member an administrator, or an administrator a plain member.

use broker_schemas::group::{Change, SetRole};
use broker_schemas::rights::Role;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, check_rank, not_a_member};
use crate::{Module, Settings};

impl Handle<SetRole> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: SetRole) -> Result<Done> {
        check_other(call.caller.user(), request.user)?;
        if request.role == Role::Owner {
            let message = "role: expected administrator or member; group.transfer makes somebody the owner";
            return Err(Error::invalid(message).into());
        }
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for SetRole {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let Being::Member(membership) = allowed.being(self.user).await? else {
            return Err(not_a_member().into());
        };
        check_rank(allowed.role, membership.role)?;
        if membership.role == self.role {
            return Ok(Applied::Nothing);
        }
        allowed.set_role(self.user, self.role).await?;
        Ok(Applied::Changed(Change::RoleSet { user: self.user, role: self.role }))
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::Admission;
    use broker_schemas::{Code, Timestamp};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::{fixtures, mute, set_role};

    #[tokio::test]
    async fn a_role_is_given_and_taken_once() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            for role in [Role::Administrator, Role::Member] {
                let changed = Applied::Changed(Change::RoleSet { user: user(2), role });
                assert_eq!(fixture.act(1, &set_role(group, 2, role)).await, changed, "{}", fixture.database);
                assert_eq!(fixture.act(1, &set_role(group, 2, role)).await, Applied::Nothing);
                assert_eq!(fixture.role(group, 2).await, Some(role), "{}", fixture.database);
            }
            // As the message module does it.
            fixture.act(1, &mute(group, 2, Timestamp(i64::MAX))).await;
            fixture.act(1, &set_role(group, 2, Role::Administrator)).await;
            fixture.act(1, &set_role(group, 2, Role::Member)).await;
            let Being::Member(membership) = fixture.being(group, 2).await else { panic!() };
            assert_eq!(membership.muted_until, None, "{}: a promotion ends a mute", fixture.database);
            let stranger = set_role(group, 9, Role::Administrator);
            assert_eq!(fixture.refused(1, &stranger).await, Code::NotFound, "{}", fixture.database);
            fixture.check(group).await;
        }
    }
}
