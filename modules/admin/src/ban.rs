//! `admin.ban`: keeps a user out.

use broker_schemas::admin::Ban;
use broker_schemas::user::SetBan;
use broker_schemas::{Done, Error, Moderator, Timestamp, user};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::text::check_says_something;

impl Handle<Ban> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: Ban) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            check_says_something("reason", &request.reason)?;
            if request.until.is_some_and(|until| until <= Timestamp::now()) {
                return Err(Error::invalid("until: expected a moment that is yet to come").into());
            }
            self.check_target(call, user).await?;
            let ban = user::Ban { reason: request.reason.clone(), until: request.until };
            Ok(self.bus.call(&call.scope, &SetBan { user, ban: Some(ban) }).await?)
        })
        .await
    }
}
