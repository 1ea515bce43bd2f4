//! `group.mute`: keeps a member, or every plain member, from writing until a moment; or lets them write again.

use broker_schemas::group::{Change, Mute};
use broker_schemas::rights::Role;
use broker_schemas::{Done, Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::group::{Being, check_other, check_rank, in_force, not_a_member};
use crate::{Module, Settings};

impl Handle<Mute> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Mute) -> Result<Done> {
        if let Some(user) = request.user {
            check_other(call.caller.user(), user)?;
        }
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Mute {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let now = Timestamp::now();
        let until = in_force(self.until, now);
        let before = match self.user {
            Some(user) => mute_of(allowed, user).await?,
            None => allowed.group.muted_until,
        };
        if in_force(before, now) == until {
            return Ok(Applied::Nothing);
        }
        match self.user {
            Some(user) => allowed.set_mute(user, until).await?,
            None => allowed.group.muted_until = until,
        }
        Ok(Applied::Changed(Change::Muted { user: self.user, until }))
    }
}

/// # Errors
/// When `user` can't be muted by the caller.
async fn mute_of(allowed: &mut Allowed<Mute>, user: UserId) -> Result<Option<Timestamp>> {
    let Being::Member(membership) = allowed.being(user).await? else {
        return Err(not_a_member().into());
    };
    check_rank(allowed.role, membership.role)?;
    match membership.role {
        Role::Member => Ok(membership.muted_until),
        Role::Administrator | Role::Owner => {
            Err(Error::conflict("user: only plain members can be muted: set the role first").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::{Admission, Invite, Join, Leave};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::{fixtures, kick, mute, set_role};

    const LONG: Timestamp = Timestamp(i64::MAX);
    const OVER: Timestamp = Timestamp(1);

    #[tokio::test]
    async fn a_member_is_muted_until_told_otherwise() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let muted = |until| Applied::Changed(Change::Muted { user: Some(user(2)), until });
            assert_eq!(fixture.act(1, &mute(group, 2, OVER)).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(
                fixture.act(1, &mute(group, 2, LONG)).await,
                muted(Some(LONG)),
                "{}",
                fixture.database
            );
            assert_eq!(fixture.act(1, &mute(group, 2, LONG)).await, Applied::Nothing, "{}", fixture.database);
            // A moment that has passed ends it, and is told as no moment.
            assert_eq!(fixture.act(1, &mute(group, 2, OVER)).await, muted(None), "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn who_leaves_and_comes_back_is_still_muted() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2, 3]).await;
            let muted_until = async |number| match fixture.being(group, number).await {
                Being::Member(membership) => membership.muted_until,
                other => panic!("{}: {other:?}", fixture.database),
            };
            fixture.act(1, &mute(group, 2, LONG)).await;
            fixture.act(2, &Leave { group }).await;
            fixture.act(2, &Join { group }).await;
            assert_eq!(muted_until(2).await, Some(LONG), "{}: left", fixture.database);
            fixture.act(1, &kick(group, 2, false)).await;
            fixture.act(1, &Invite { group, user: user(2) }).await;
            assert_eq!(muted_until(2).await, Some(LONG), "{}: put out", fixture.database);
            // And not any more once it was lifted, nor for anybody else.
            fixture.act(1, &mute(group, 2, OVER)).await;
            for number in [2, 3] {
                fixture.act(number, &Leave { group }).await;
                fixture.act(number, &Join { group }).await;
                assert_eq!(muted_until(number).await, None, "{}", fixture.database);
            }
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn every_plain_member_is_muted_at_once() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let all = |until| Mute { group, user: None, until };
            let muted = |until| Applied::Changed(Change::Muted { user: None, until });
            assert_eq!(fixture.act(1, &all(Some(LONG))).await, muted(Some(LONG)), "{}", fixture.database);
            assert_eq!(fixture.act(1, &all(Some(LONG))).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.act(1, &all(None)).await, muted(None), "{}", fixture.database);
            assert_eq!(fixture.act(1, &all(None)).await, Applied::Nothing, "{}", fixture.database);
        }
    }

    #[tokio::test]
    async fn only_plain_members_are_muted() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2, 3]).await;
            fixture.act(1, &set_role(group, 2, Role::Administrator)).await;
            assert_eq!(fixture.refused(1, &mute(group, 2, LONG)).await, Code::Conflict);
            assert_eq!(fixture.refused(2, &mute(group, 1, LONG)).await, Code::Forbidden);
            assert_eq!(fixture.refused(1, &mute(group, 9, LONG)).await, Code::NotFound);
            fixture.act(2, &mute(group, 3, LONG)).await;
        }
    }
}
