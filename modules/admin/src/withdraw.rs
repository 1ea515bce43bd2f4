//! `admin.withdraw`: takes an announcement back.

use broker_schemas::admin::Withdraw;
use broker_schemas::{Done, Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::store::Changed;

impl Handle<Withdraw> for Module {
    async fn handle(&self, call: &Call<Operator>, request: Withdraw) -> Result<Done> {
        self.audited(call, &request, None, async {
            match self.store.withdraw(request.announcement, Timestamp::now()).await? {
                Changed::To(event) => self.push_announced(&event).await,
                Changed::Withdrawn => {}
                Changed::Missing => return Err(no_such_announcement().into()),
            }
            Ok(Done {})
        })
        .await
    }
}

/// The refusal of an announcement that doesn't exist.
pub(crate) fn no_such_announcement() -> Error {
    Error::not_found("there is no such announcement")
}
