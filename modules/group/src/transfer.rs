//! `group.transfer`: makes another member the owner.

use broker_schemas::group::{Change, Transfer};
use broker_schemas::rights::Role;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, not_a_member};
use crate::{Module, Settings};

impl Handle<Transfer> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Transfer) -> Result<Done> {
        check_other(call.caller.user(), request.user)?;
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Transfer {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let Being::Member(_) = allowed.being(self.user).await? else {
            return Err(not_a_member().into());
        };
        let caller = allowed.caller;
        allowed.set_role(caller, Role::Administrator).await?;
        allowed.set_role(self.user, Role::Owner).await?;
        allowed.group.passed_on = Some((caller, self.user));
        Ok(Applied::Changed(Change::Transferred { user: self.user }))
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::Admission;

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn a_group_changes_hands_and_repeating_it_does_no_harm() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2, 3]).await;
            let to = |number| Transfer { group, user: user(number) };
            let transferred = Applied::Changed(Change::Transferred { user: user(2) });
            assert_eq!(fixture.act(1, &to(2)).await, transferred, "{}", fixture.database);
            // The answer may have been lost, and who repeats it is no owner any more.
            assert_eq!(fixture.act(1, &to(2)).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.refused(1, &to(3)).await, Code::Forbidden, "{}", fixture.database);
            assert_eq!(fixture.role(group, 1).await, Some(Role::Administrator), "{}", fixture.database);

            fixture.act(2, &to(3)).await;
            assert_eq!(fixture.refused(1, &to(2)).await, Code::Forbidden, "{}", fixture.database);
            assert_eq!(fixture.role(group, 3).await, Some(Role::Owner), "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn only_a_member_becomes_the_owner() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let transfer = Transfer { group, user: user(9) };
            assert_eq!(fixture.refused(1, &transfer).await, Code::NotFound, "{}", fixture.database);
            fixture.check(group).await;
        }
    }
}
