//! Whom a moderator may act on.

use broker_schemas::user::{ListStaff, SPARED_MAX};
use broker_schemas::{Error, List, Moderator, Role, UserId};
use natter_host::Call;

use crate::{Checked, Module};

impl Module {
    /// Checks that the caller may act on `user`: nobody acts on their own account, nor on the platform's, and on an account with
    /// a role only an operator does.
    ///
    /// # Errors
    /// Says why not; or the user module's, which knows who has a role.
    pub(crate) async fn check_target(&self, call: &Call<Moderator>, user: UserId) -> Checked<()> {
        if call.caller.signed_in().user() == user {
            return Err(Error::invalid("user: this is yourself"));
        }
        let staff = self.bus.call(&call.scope, &ListStaff {}).await?;
        if staff.system == Some(user) {
            return Err(Error::forbidden("user: this is the platform's own account"));
        }
        if !is_operator(call) && staff.members.iter().any(|member| member.user == user) {
            return Err(Error::forbidden("the user has a role: only an operator may do this"));
        }
        Ok(())
    }

    /// Whose messages and groups the caller must spare: for an operator nobody's, for others those of who has a role, and of the
    /// platform.
    ///
    /// # Errors
    /// The user module's, which knows who has a role.
    pub(crate) async fn spared(&self, call: &Call<Moderator>) -> Checked<List<UserId, SPARED_MAX>> {
        if is_operator(call) {
            return Ok(List::default());
        }
        let staff = self.bus.call(&call.scope, &ListStaff {}).await?;
        let spared = staff.members.into_iter().map(|member| member.user).chain(staff.system);
        List::new(spared.collect::<Vec<_>>()).map_err(Error::invalid)
    }
}

fn is_operator(call: &Call<Moderator>) -> bool {
    call.caller.signed_in().roles().contains(&Role::Operator)
}
