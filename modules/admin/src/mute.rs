//! `admin.mute`: keeps a user from writing anywhere, until a moment.

use broker_schemas::admin::Mute;
use broker_schemas::message::SetSilence;
use broker_schemas::user::Lookup;
use broker_schemas::{Done, Error, List, Moderator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Mute> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: Mute) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            self.check_target(call, user).await?;
            let until = request.until.filter(|until| *until > Timestamp::now());
            // The message module doesn't know who exists. Whoever can be silenced can be let write again also when the account
            // is gone.
            if until.is_some() {
                let users = List::new(vec![user]).map_err(Error::invalid)?;
                let found = self.bus.call(&call.scope, &Lookup { users }).await?;
                if found.profiles.is_empty() {
                    return Err(Error::not_found("there is no such user").into());
                }
            }
            Ok(self.bus.call(&call.scope, &SetSilence { user, until }).await?)
        })
        .await
    }
}
