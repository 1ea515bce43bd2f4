//! `group.dissolve_by_staff`: ends a group for good, whoever owns it but for whom they must spare.

use broker_schemas::group::DissolveByStaff;
use broker_schemas::{Done, Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::authorise::Grant;
use crate::change::{Applied, Outcome};
use crate::store::Store;

impl Handle<DissolveByStaff> for Module {
    async fn handle(&self, call: &Call<Part>, request: DissolveByStaff) -> Result<Done> {
        let outcome = self.store.dissolve_by_staff(&request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Store {
    /// Ends a group, unless it has ended. Who may do this is not decided here: the table of rights is about members, and who
    /// does this need not be one.
    ///
    /// # Errors
    /// When there is no such group, or one who must be spared owns it.
    pub(crate) async fn dissolve_by_staff(&self, request: &DissolveByStaff) -> Result<Outcome> {
        let &DissolveByStaff { group, by, ref spared } = request;
        let Some(mut locked) = self.lock(group).await? else {
            return Err(Error::not_found("group: there is no such group").into());
        };
        if locked.group.dissolved_at.is_some() {
            let version = locked.group.version;
            locked.release().await?;
            return Ok(Outcome { group, version, grant: Grant::Nothing, applied: Applied::Nothing });
        }
        if locked.owner().await?.is_some_and(|owner| spared.contains(&owner)) {
            return Err(Error::forbidden("group: the owner has a role: only an operator may do this").into());
        }
        let change = locked.dissolve().await?;
        locked.record(by, &change).await?;
        let version = locked.store().await?;
        Ok(Outcome { group, version, grant: Grant::May, applied: Applied::Changed(change) })
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::{Admission, Change, Join};
    use broker_schemas::{Code, GroupId, List};

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::{fixtures, refusal};

    #[tokio::test]
    async fn staff_ends_a_group_that_they_are_not_in_once() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[2]).await;
            let request = DissolveByStaff { group, by: user(77), spared: List::default() };
            let sparing =
                |who| DissolveByStaff { spared: List::new(vec![user(who)]).unwrap(), ..request.clone() };
            let refused = refusal(fixture.store.dissolve_by_staff(&sparing(1)).await);
            assert_eq!(refused.code, Code::Forbidden, "{}: the owner is spared", fixture.database);
            assert_eq!(fixture.version(group).await, 1, "{}", fixture.database);
            let first = fixture.store.dissolve_by_staff(&sparing(2)).await.unwrap();
            assert_eq!(first.applied, Applied::Changed(Change::Dissolved {}), "{}", fixture.database);
            let again = fixture.store.dissolve_by_staff(&request).await.unwrap();
            assert_eq!((again.applied, again.version), (Applied::Nothing, first.version));
            // The notice in the conversation says who did it.
            let untold = fixture.store.untold(group, u64::MAX, 10).await.unwrap();
            let last = &untold.last().unwrap().change;
            assert_eq!((last.by, &last.change), (user(77), &Change::Dissolved {}), "{}", fixture.database);
            assert_eq!(fixture.refused(3, &Join { group }).await, Code::NotFound, "{}", fixture.database);
            fixture.check(group).await;

            let nothing = DissolveByStaff { group: GroupId::new(999).unwrap(), ..request };
            let refused = refusal(fixture.store.dissolve_by_staff(&nothing).await);
            assert_eq!(refused.code, Code::NotFound, "{}", fixture.database);
        }
    }
}
