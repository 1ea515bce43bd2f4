//! `admin.remove_rule`: removes a rule.

use broker_schemas::admin::RemoveRule;
use broker_schemas::{Done, Error, Operator};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<RemoveRule> for Module {
    async fn handle(&self, call: &Call<Operator>, request: RemoveRule) -> Result<Done> {
        self.audited(call, &request, None, async {
            if !self.store.remove_rule(request.id).await? {
                return Err(no_such_rule().into());
            }
            self.rules_changed.notify_one();
            Ok(Done {})
        })
        .await
    }
}

/// The refusal of a rule that doesn't exist.
pub(crate) fn no_such_rule() -> Error {
    Error::not_found("there is no such rule")
}
