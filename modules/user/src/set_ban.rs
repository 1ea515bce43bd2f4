//! `user.set_ban`: keeps a user out, or lets the user in again.

use broker_schemas::user::SetBan;
use broker_schemas::visible::is_visible;
use broker_schemas::{Done, Error, Part, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::ban::Ban;
use crate::{Module, no_such_user};

impl Handle<SetBan> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetBan) -> Result<Done> {
        let user = request.user;
        match request.ban.map(checked).transpose()? {
            Some(ban) => self.ban(user, &ban).await?,
            None => {
                self.store.lift_ban(user).await?.ok_or_else(no_such_user)?;
                tracing::info!(%user, "ban lifted");
            }
        }
        Ok(Done {})
    }
}

impl Module {
    async fn ban(&self, user: UserId, ban: &Ban) -> Result<()> {
        let presence = self.store.ban(user, ban).await?.ok_or_else(no_such_user)?;
        self.tell_presence(&presence).await;
        self.close_all(user, "banned", &ban.words()).await;
        tracing::info!(%user, until = ?ban.until, "banned");
        Ok(())
    }
}

/// # Errors
/// Names the field that is against a rule.
fn checked(ban: broker_schemas::user::Ban) -> std::result::Result<Ban, Error> {
    let reason = ban.reason.trim().to_owned();
    if !is_visible(&reason) || reason.contains('\0') {
        return Err(Error::invalid(
            "ban.reason: expected 1 to 1024 bytes with something to see, without U+0000",
        ));
    }
    if ban.until.is_some_and(|until| until <= Timestamp::now()) {
        return Err(Error::invalid("ban.until: expected a moment to come"));
    }
    Ok(Ban { reason, until: ban.until })
}
