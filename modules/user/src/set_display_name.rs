//! `user.set_display_name`.

use broker_schemas::user::SetDisplayName;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result, shown_name};

use crate::{Module, no_such_user};

impl Handle<SetDisplayName> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: SetDisplayName) -> Result<Done> {
        let user = call.caller.user();
        self.silences.check(user).await?;
        let display_name = shown_name("display_name", &request.display_name)?;
        self.platform.check_not_its_own("display_name", &display_name)?;
        self.rules.current().check_name("display_name", &display_name)?;
        if self.store.set_display_name(user, &display_name).await? {
            Ok(Done {})
        } else {
            Err(no_such_user().into())
        }
    }
}
