//! `user.change_password`.

use broker_schemas::user::ChangePassword;
use broker_schemas::{Delivery, Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::{Module, password};

impl Handle<ChangePassword> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ChangePassword) -> Result<Done> {
        let (user, session) = (call.caller.user(), call.caller.session());
        let address = call.client_address.as_deref();
        let (name, old) = self.check_own_password(user, address, "old", request.old.into()).await?;
        password::check("new", &request.new, &name)?;
        let new = self.passwords.hash(request.new.into()).await?;
        let changed = self.store.change_password(user, &old, &new, session).await?;
        let presence = changed.ok_or_else(|| Error::conflict("old: it was just changed elsewhere"))?;
        self.tell_presence(&presence).await;
        let close = Delivery::Close {
            only: None,
            except: Some(session),
            code: "password_changed".into(),
            message: "the password was changed on another device; sign in with the new one".into(),
        };
        self.deliver(user, &close).await;
        tracing::info!(%user, "password changed");
        Ok(Done {})
    }
}
