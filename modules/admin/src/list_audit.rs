//! `admin.audit`: a page of the audit log.

use broker_schemas::Auditor;
use broker_schemas::admin::{Audit, ListAudit};
use natter_host::{Call, Handle, Result};

use crate::store::Filter;
use crate::{Module, page};

impl Handle<ListAudit> for Module {
    /// Reading the log is in the log.
    async fn handle(&self, call: &Call<Auditor>, request: ListAudit) -> Result<Audit> {
        self.audited(call, &request, None, async {
            let limit = page::limit(request.limit)?;
            let filter = Filter {
                by: request.by,
                on: request.on,
                method: request.method.as_deref().map(str::to_owned),
                before: request.before,
            };
            let found = self.store.acts(&filter, limit + 1).await?;
            let (entries, more) = page::fit(found, limit);
            Ok(Audit { entries, more })
        })
        .await
    }
}
