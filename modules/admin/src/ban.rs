//! `admin.ban`: keeps a user out.

use broker_schemas::admin::Ban;
use broker_schemas::user::SetBan;
use broker_schemas::{Done, Error, Moderator, Timestamp, user};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::horizon::check_kept_until;
use crate::text::check_says_something;

impl Handle<Ban> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: Ban) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            check_says_something("reason", &request.reason)?;
            let now = Timestamp::now();
            if request.until.is_some_and(|until| until <= now) {
                return Err(Error::invalid("until: expected a moment that is yet to come").into());
            }
            request.until.map_or(Ok(()), |until| check_kept_until("until", until, now))?;
            self.check_target(call, user).await?;
            let ban = user::Ban { reason: request.reason.clone(), until: request.until };
            Ok(self.bus.call(&call.scope, &SetBan { user, ban: Some(ban) }).await?)
        })
        .await
    }
}
