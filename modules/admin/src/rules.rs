//! `admin.rules`: what names and texts must not contain.

use broker_schemas::Staff;
use broker_schemas::admin::{ListRules, Rules};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::distribution::pending;

impl Handle<ListRules> for Module {
    async fn handle(&self, call: &Call<Staff>, request: ListRules) -> Result<Rules> {
        self.noted_if_refused(call, &request, async {
            let (version, rules) = self.store.rules().await?;
            let pending = pending(version, &self.store.rule_holders().await?);
            Ok(Rules { version, rules, pending })
        })
        .await
    }
}
