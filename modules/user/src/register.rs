//! `user.register`.

use broker_schemas::user::{Register, Registered};
use broker_schemas::{Anyone, Error};
use natter_host::{Call, Handle, Result, shown_name};

use crate::guessing::Origin;
use crate::{Module, name, password};

impl Handle<Register> for Module {
    async fn handle(&self, call: &Call<Anyone>, request: Register) -> Result<Registered> {
        name::check(&request.name)?;
        password::check("password", &request.password, &request.name)?;
        let display_name =
            shown_name("display_name", request.display_name.as_deref().unwrap_or(&request.name))?;
        self.platform.check_not_its_own("display_name", &display_name)?;
        let rules = self.rules.current();
        rules.check_name("name", &request.name)?;
        rules.check_name("display_name", &display_name)?;
        self.guessing.registration(&Origin::of(call.client_address.as_deref()))?;
        // Hashing is dear: first see whether it will be of use.
        if self.store.is_taken(&name::key(&request.name)).await? {
            return Err(taken(&request.name).into());
        }
        let hash = self.passwords.hash(request.password.into()).await?;
        let user = self.store.create_account(&request.name, &display_name, &hash).await?;
        let user = user.ok_or_else(|| taken(&request.name))?;
        tracing::info!(%user, "account registered");
        Ok(Registered { user })
    }
}

fn taken(name: &str) -> Error {
    Error::conflict(format!("name: {name} is taken, whatever the case of its letters"))
}
