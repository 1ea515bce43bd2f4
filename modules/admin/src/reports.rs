//! `admin.reports`: a page of what users reported.

use broker_schemas::Moderator;
use broker_schemas::admin::{ListReports, Reports};
use natter_host::{Call, Handle, Result};

use crate::{Module, page};

impl Handle<ListReports> for Module {
    /// In the audit log also when it is allowed: it shows what people wrote to each other.
    async fn handle(&self, call: &Call<Moderator>, request: ListReports) -> Result<Reports> {
        self.audited(call, &request, None, async {
            let limit = page::limit(request.limit)?;
            let settled = request.settled.unwrap_or(false);
            let found = self.store.reports(settled, request.after, limit + 1).await?;
            let (reports, more) = page::fit(found, limit);
            Ok(Reports { reports, more })
        })
        .await
    }
}
