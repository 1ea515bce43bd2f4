//! `user.report`: a user reports another one to the moderators.

use broker_schemas::admin::{Subject, TakeReport};
use broker_schemas::user::Report;
use broker_schemas::visible::is_visible;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::{Module, no_such_user};

impl Handle<Report> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Report) -> Result<Done> {
        let (by, Report { user, reason }) = (call.caller.user(), request);
        if !is_visible(&reason) || reason.contains('\0') {
            return Err(Error::invalid(
                "reason: expected 1 to 1024 bytes with something to see, without U+0000",
            )
            .into());
        }
        if user == by {
            return Err(Error::invalid("user: expected another user").into());
        }
        if self.store.profiles(&[user]).await?.is_empty() {
            return Err(no_such_user().into());
        }
        // Nothing is recorded here: while the administration is down, the user is told so.
        let report = TakeReport { by: Some(by), about: Subject::User(user), reason };
        Ok(self.bus.call(&call.scope, &report).await?)
    }
}
