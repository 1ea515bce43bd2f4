//! `group.kick`: puts somebody out of a group, and keeps them out if asked to.

use broker_schemas::group::{Change, Kick};
use broker_schemas::{Done, Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result, Scope};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, check_rank};
use crate::store::Outsider;
use crate::{Module, Settings};

impl Handle<Kick> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Kick) -> Result<Done> {
        check_other(call.caller.user(), request.user)?;
        if request.block == Some(true) {
            // First, so that nobody is asked about for who may not do this.
            let seen = self.store.look(call.caller.user(), &request).await?;
            if self.store.being(seen.group.id, request.user).await? == Being::Stranger {
                self.check_exists(&call.scope, request.user).await?;
            }
        }
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Module {
    /// Ids that nobody has would fill the list of those who are kept out.
    async fn check_exists(&self, scope: &Scope, user: UserId) -> Result<()> {
        let people = self.people(scope, &[user]).await.map_err(|error| {
            // Whatever became of the question, nobody was put out.
            Error::unavailable(format!("can't find out whether there is such a user: {}", error.message))
        })?;
        if people.knows_gone(user) {
            return Err(Error::not_found("user: there is no such user").into());
        }
        Ok(())
    }
}

impl Rule for Kick {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        let being = allowed.being(self.user).await?;
        if let Being::Member(membership) = being {
            check_rank(allowed.role, membership.role)?;
        }
        let blocks = self.block == Some(true) && being != Being::Blocked;
        if blocks {
            if allowed.count(Outsider::Blocked).await? >= limits.max_blocked {
                let message =
                    format!("{} people are kept out already, which is the limit", limits.max_blocked);
                return Err(Error::conflict(message).into());
            }
            allowed.add_outsider(self.user, Outsider::Blocked, Timestamp::now()).await?;
        }
        match being {
            Being::Member(_) => {
                allowed.remove_member(self.user).await?;
                Ok(Applied::Changed(Change::Kicked { user: self.user }))
            }
            _ if blocks => Ok(Applied::Quietly),
            _ => Ok(Applied::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::{Admission, Invite, Join, Unblock};
    use broker_schemas::rights::Role;

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::{fixtures, kick, set_role};

    #[tokio::test]
    async fn who_was_put_out_may_come_back_unless_kept_out() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let kicked = Applied::Changed(Change::Kicked { user: user(2) });
            assert_eq!(fixture.act(1, &kick(group, 2, false)).await, kicked, "{}", fixture.database);
            assert_eq!(
                fixture.act(1, &kick(group, 2, false)).await,
                Applied::Nothing,
                "{}",
                fixture.database
            );
            fixture.act(2, &Join { group }).await;
            assert_eq!(fixture.act(1, &kick(group, 2, true)).await, kicked, "{}", fixture.database);
            assert_eq!(fixture.act(1, &kick(group, 2, true)).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.refused(2, &Join { group }).await, Code::NotFound, "{}", fixture.database);
            let invite = Invite { group, user: user(2) };
            assert_eq!(fixture.refused(1, &invite).await, Code::Conflict, "{}", fixture.database);

            let unblock = Unblock { group, user: user(2) };
            assert_eq!(fixture.act(1, &unblock).await, Applied::Quietly, "{}", fixture.database);
            assert_eq!(fixture.act(1, &unblock).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.being(group, 2).await, Being::Stranger, "{}", fixture.database);
            fixture.act(2, &Join { group }).await;
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn who_is_not_in_can_be_kept_out_and_then_asks_no_more() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[]).await;
            fixture.act(2, &Join { group }).await;
            assert_eq!(fixture.act(1, &kick(group, 2, true)).await, Applied::Quietly, "{}", fixture.database);
            assert_eq!(fixture.being(group, 2).await, Being::Blocked, "{}", fixture.database);
            let approve = broker_schemas::group::Approve { group, user: user(2) };
            assert_eq!(fixture.refused(1, &approve).await, Code::NotFound, "{}", fixture.database);
            assert_eq!(fixture.version(group).await, 1, "{}", fixture.database);
        }
    }

    #[tokio::test]
    async fn rank_protects() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2, 3]).await;
            fixture.act(1, &set_role(group, 2, Role::Administrator)).await;
            fixture.act(1, &set_role(group, 3, Role::Administrator)).await;
            assert_eq!(fixture.refused(2, &kick(group, 1, false)).await, Code::Forbidden);
            assert_eq!(fixture.refused(2, &kick(group, 3, true)).await, Code::Forbidden);
            fixture.act(1, &kick(group, 3, false)).await;
            fixture.check(group).await;
        }
    }
}
