//! `group.set_rules`: what names and announcements must not contain.

use broker_schemas::group::SetRules;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetRules) -> Result<Done> {
        self.rules.set(&request.book).await?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn rules_hold_after_a_restart() {
        natter_host::testing::assert_rules_are_kept("group", crate::store::MIGRATIONS).await;
    }
}
