//! `message.present`: an edge asks to whom it may hand out what happens in a group.

use broker_schemas::Part;
use broker_schemas::message::{GetPresent, Present};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<GetPresent> for Module {
    async fn handle(&self, _: &Call<Part>, request: GetPresent) -> Result<Present> {
        self.store.present(request.group, &request.users).await
    }
}
