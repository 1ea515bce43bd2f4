//! `group.dissolve`: ends a group for good.

use broker_schemas::group::{Change, Dissolve};
use broker_schemas::{Done, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::store::Locked;
use crate::{Module, Settings};

impl Handle<Dissolve> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Dissolve) -> Result<Done> {
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Dissolve {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        allowed.dissolve().await.map(Applied::Changed)
    }
}

impl Locked {
    /// Ends the group. Its members stay, for they may go on reading.
    pub(crate) async fn dissolve(&mut self) -> Result<Change> {
        self.remove_outsiders().await?;
        self.group.dissolved_at = Some(Timestamp::now());
        Ok(Change::Dissolved {})
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::{Admission, Join};

    use super::*;
    use crate::group::Being;
    use crate::group::tests::user;
    use crate::store::tests::{fixtures, kick};

    #[tokio::test]
    async fn a_group_ends_once_and_nobody_waits_outside_any_more() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[2]).await;
            fixture.act(3, &Join { group }).await;
            fixture.act(1, &kick(group, 4, true)).await;
            let dissolve = Dissolve { group };
            let dissolved = Applied::Changed(Change::Dissolved {});
            assert_eq!(fixture.act(1, &dissolve).await, dissolved, "{}", fixture.database);
            assert_eq!(fixture.act(1, &dissolve).await, Applied::Nothing, "{}", fixture.database);
            for outside in [3, 4] {
                assert_eq!(fixture.being(group, outside).await, Being::Stranger, "{}", fixture.database);
            }
            assert!(fixture.store.groups_of(user(2)).await.unwrap().is_empty(), "{}", fixture.database);
            fixture.check(group).await;
        }
    }
}
