//! `user.system_account`: the account with which the platform itself writes to users.

use broker_schemas::user::{Registered, SystemAccount};
use broker_schemas::{Error, Part};
use natter_host::{Call, Handle, Result};

use crate::{Module, name};

impl Handle<SystemAccount> for Module {
    async fn handle(&self, _: &Call<Part>, _: SystemAccount) -> Result<Registered> {
        let found = self.store.system_account(self.platform.name.trim()).await?;
        let user = found.ok_or_else(|| {
            Error::conflict(format!("a user has the name {}, which is the platform's own", name::RESERVED))
        })?;
        Ok(Registered { user })
    }
}
