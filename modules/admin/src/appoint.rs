//! `admin.appoint`: gives a user a role, from the machine that holds the bus credentials.

use broker_schemas::admin::Appoint;
use broker_schemas::user::{Resolve, SetRole};
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::audit::Act;

impl Handle<Appoint> for Module {
    async fn handle(&self, call: &Call<Part>, request: Appoint) -> Result<Done> {
        // The word is ours, whatever the caller says: nobody at the console passes for somebody elsewhere.
        let said = request.from.strip_prefix("console: ").unwrap_or(&request.from);
        let origin = format!("console: {said}");
        let found = self.bus.call(&call.scope, &Resolve { name: request.name.clone() }).await;
        let on = found.as_ref().ok().map(|found| found.user);
        let act = Act { origin, ..Act::of(call, &request, on) };
        self.audit(act, async {
            let set = SetRole { user: found?.user, role: request.role, has: true };
            Ok(self.bus.call(&call.scope, &set).await?)
        })
        .await
    }
}
