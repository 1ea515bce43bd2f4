//! `group.configure`: sets how one gets into a group, and what new members see.

use broker_schemas::group::{Change, Configure};
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings};

impl Handle<Configure> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Configure) -> Result<Done> {
        let outcome = self.change(call.caller.user(), &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Configure {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let group = &mut allowed.group;
        let admission = self.admission.unwrap_or(group.admission);
        let visible = self.visible.unwrap_or(group.visible);
        if (admission, visible) == (group.admission, group.visible) {
            return Ok(Applied::Nothing);
        }
        (group.admission, group.visible) = (admission, visible);
        Ok(Applied::Changed(Change::Configured { admission, visible }))
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::{Admission, Visible};

    use super::*;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn what_is_not_named_stays_and_what_is_so_already_is_not_told() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[]).await;
            let configure = |admission, visible| Configure { group, admission, visible };
            let (admission, visible) = (Admission::Approval, Visible::FromJoining);
            let changed = Applied::Changed(Change::Configured { admission, visible });
            assert_eq!(fixture.act(1, &configure(Some(admission), None)).await, changed);
            assert_eq!(fixture.act(1, &configure(Some(admission), None)).await, Applied::Nothing);
            assert_eq!(fixture.act(1, &configure(None, None)).await, Applied::Nothing);
            let visible = Visible::Everything;
            let changed = Applied::Changed(Change::Configured { admission, visible });
            assert_eq!(fixture.act(1, &configure(None, Some(visible))).await, changed);
            let there = fixture.store.group(group).await.unwrap().unwrap();
            assert_eq!((there.admission, there.visible), (admission, visible), "{}", fixture.database);
        }
    }
}
