//! `group.set_silence`: keeps a user from making, naming and announcing to groups, and from inviting, or lets the user
//! again.

use broker_schemas::group::SetSilence;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetSilence> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetSilence) -> Result<Done> {
        self.silences.set(request.user, request.until, request.version).await?;
        Ok(Done {})
    }
}
