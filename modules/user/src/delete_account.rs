//! `user.delete_account`.

use broker_schemas::user::{DeleteAccount, PresenceChanged};
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::departure::close_sessions;
use crate::{Module, no_such_user};

impl Handle<DeleteAccount> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: DeleteAccount) -> Result<Done> {
        let user = call.caller.user();
        let address = call.client_address.as_deref();
        let (_, hash) = self.check_own_password(user, address, "password", request.password.into()).await?;
        let was_online = self.store.delete_account(user, &hash).await?.ok_or_else(no_such_user)?;
        if was_online {
            self.tell_presence(&[PresenceChanged { user, online: false }]).await;
        }
        // Not this one: its connection still takes the reply, which signs it out.
        self.deliver(user, &close_sessions(Some(call.caller.session()))).await;
        call.detach("account deleted");
        tracing::info!(%user, "account deleted");
        Ok(Done {})
    }
}
