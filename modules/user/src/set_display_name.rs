//! `user.set_display_name`.

use broker_schemas::user::SetDisplayName;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::{Module, name, no_such_user};

impl Handle<SetDisplayName> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: SetDisplayName) -> Result<Done> {
        let user = call.caller.user();
        self.silences.check(user).await?;
        let display_name = name::display_name(&request.display_name)?;
        name::check_not_the_platforms(&display_name, &self.settings.system_name)?;
        self.rules.current().check_name("display_name", &display_name)?;
        if self.store.set_display_name(user, &display_name).await? {
            Ok(Done {})
        } else {
            Err(no_such_user().into())
        }
    }
}
