//! `message.forget_user`: an account was deleted.

use broker_schemas::message::ForgetUser;
use broker_schemas::subject::Audience;
use broker_schemas::user::Deleted;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ForgetUser> for Module {
    async fn handle(&self, _: &Call<Part>, request: ForgetUser) -> Result<Done> {
        let peers = self.store.forget(request.user).await?;
        let audience = peers.into_iter().map(Audience::User);
        if let Err(error) = self.bus.push_each(audience, &Deleted { user: request.user }).await {
            tracing::debug!(%error, "deletion not pushed");
        }
        Ok(Done {})
    }
}
