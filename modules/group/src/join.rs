//! `group.join`: joins a group, or asks to.

use broker_schemas::SignedIn;
use broker_schemas::group::{Join, Joined};
use natter_host::{Call, Handle, Result};

use crate::authorise::{Allowed, Grant};
use crate::change::{Applied, Rule};
use crate::group::Being;
use crate::{Module, Settings};

impl Handle<Join> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Join) -> Result<Joined> {
        let user = call.caller.user();
        let outcome = self.change(user, &request).await?;
        if outcome.grant == Grant::MayAsk {
            if outcome.applied == Applied::Quietly {
                self.push_asked(&call.scope, request.group, user).await?;
            }
            return Ok(Joined { member: false });
        }
        self.finish(&call.scope, &outcome).await?;
        Ok(Joined { member: true })
    }
}

impl Rule for Join {
    async fn apply(&self, allowed: &mut Allowed<Self>, limits: &Settings) -> Result<Applied> {
        let user = allowed.caller;
        if allowed.grant == Grant::May {
            return allowed.take_in(user, "you are", limits).await;
        }
        match allowed.being(user).await? {
            Being::Asking => Ok(Applied::Nothing),
            _ => allowed.let_ask(user, limits).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::{Admission, Approve, Change, Decline, Invite, Leave};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn an_open_group_is_joined_once() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[]).await;
            let join = Join { group };
            let joined = Applied::Changed(Change::Joined { user: user(2) });
            assert_eq!(fixture.act(2, &join).await, joined, "{}", fixture.database);
            assert_eq!(fixture.act(2, &join).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.version(group).await, 2, "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn who_asks_is_a_member_only_once_approved() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[]).await;
            let (join, approve) = (Join { group }, Approve { group, user: user(2) });
            assert_eq!(fixture.refused(1, &approve).await, Code::NotFound, "{}", fixture.database);
            let asked = fixture.try_act(2, &join).await.unwrap();
            assert_eq!((asked.grant, asked.applied), (Grant::MayAsk, Applied::Quietly));
            assert_eq!(fixture.act(2, &join).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.being(group, 2).await, Being::Asking, "{}", fixture.database);

            let joined = Applied::Changed(Change::Joined { user: user(2) });
            assert_eq!(fixture.act(1, &approve).await, joined, "{}", fixture.database);
            assert_eq!(fixture.act(1, &approve).await, Applied::Nothing, "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn who_was_declined_or_took_it_back_may_ask_again() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[]).await;
            let (join, decline) = (Join { group }, Decline { group, user: user(2) });
            fixture.act(2, &join).await;
            assert_eq!(fixture.act(1, &decline).await, Applied::Quietly, "{}", fixture.database);
            assert_eq!(fixture.act(1, &decline).await, Applied::Nothing, "{}", fixture.database);
            fixture.act(2, &join).await;
            assert_eq!(fixture.act(2, &Leave { group }).await, Applied::Quietly, "{}", fixture.database);
            assert_eq!(fixture.being(group, 2).await, Being::Stranger, "{}", fixture.database);
            assert_eq!(fixture.act(2, &join).await, Applied::Quietly, "{}", fixture.database);
            assert_eq!(fixture.version(group).await, 1, "{}: nothing of it is told", fixture.database);
        }
    }

    #[tokio::test]
    async fn an_invitation_answers_who_asked() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[]).await;
            fixture.act(2, &Join { group }).await;
            fixture.act(1, &Invite { group, user: user(2) }).await;
            assert!(matches!(fixture.being(group, 2).await, Being::Member(_)), "{}", fixture.database);
            fixture.check(group).await;
        }
    }

    #[tokio::test]
    async fn only_so_many_ask_at_once() {
        for mut fixture in fixtures().await {
            fixture.limits.max_asking = 1;
            let group = fixture.group(Admission::Approval, &[]).await;
            fixture.act(2, &Join { group }).await;
            assert_eq!(fixture.act(2, &Join { group }).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.refused(3, &Join { group }).await, Code::Conflict, "{}", fixture.database);
        }
    }
}
