//! `user.set_role`: gives a user a role, or takes it.

use broker_schemas::user::SetRole;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::{Module, no_such_user};

impl Handle<SetRole> for Module {
    /// A role that is given counts from the next sign-in or renewal of a passport. One that is taken must not count a moment
    /// longer, so the sessions end, whose passports still have it.
    async fn handle(&self, _: &Call<Part>, request: SetRole) -> Result<Done> {
        let SetRole { user, role, has } = request;
        if has {
            if !self.store.give_role(user, role).await? {
                return Err(no_such_user().into());
            }
            tracing::info!(%user, role = role.name(), "role given");
        } else {
            let taken = self.store.take_role(user, role).await?.ok_or_else(no_such_user)?;
            self.tell_presence(&taken.presence).await;
            if taken.had_it {
                let words = format!("the role of {} was taken from you; sign in again", role.name());
                self.close_all(user, "role_revoked", &words).await;
                tracing::info!(%user, role = role.name(), "role taken");
            }
        }
        Ok(Done {})
    }
}
