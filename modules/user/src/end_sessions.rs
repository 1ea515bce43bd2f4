//! `user.end_sessions`: signs a user out everywhere.

use broker_schemas::user::EndSessions;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::{Module, no_such_user};

impl Handle<EndSessions> for Module {
    async fn handle(&self, _: &Call<Part>, request: EndSessions) -> Result<Done> {
        let user = request.user;
        let presence = self.store.end_sessions(user).await?.ok_or_else(no_such_user)?;
        self.tell_presence(&presence).await;
        self.close_all(user, "signed_out", "a moderator ended your sessions; you may sign in again").await;
        tracing::info!(%user, "sessions ended");
        Ok(Done {})
    }
}
