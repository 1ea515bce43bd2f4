//! `user.set_rules`: what names must not contain.

use broker_schemas::user::SetRules;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetRules) -> Result<Done> {
        self.rules.set(&request.book).await?;
        Ok(Done {})
    }
}
