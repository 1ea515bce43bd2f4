//! Whom a moderator may act on.

use broker_schemas::user::ListStaff;
use broker_schemas::{Error, Moderator, Role, UserId};
use natter_host::Call;

use crate::{Checked, Module};

impl Module {
    /// Checks that the caller may act on `user`: nobody acts on their own account, and on an account with a role only an
    /// operator does.
    ///
    /// # Errors
    /// Says why not; or the user module's, which knows who has a role.
    pub(crate) async fn check_target(&self, call: &Call<Moderator>, user: UserId) -> Checked<()> {
        let caller = call.caller.signed_in();
        if caller.user() == user {
            return Err(Error::invalid("user: this is yourself"));
        }
        if caller.roles().contains(&Role::Operator) {
            return Ok(());
        }
        let staff = self.bus.call(&call.scope, &ListStaff {}).await?;
        if staff.members.iter().any(|member| member.user == user) {
            return Err(Error::forbidden("the user has a role: only an operator may do this"));
        }
        Ok(())
    }
}
