//! `user.report_sessions`.

use broker_schemas::Part;
use broker_schemas::user::{ReportSessions, Reported};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<ReportSessions> for Module {
    async fn handle(&self, _: &Call<Part>, request: ReportSessions) -> Result<Reported> {
        let report = self.store.report(&request.edge, &request.closed).await?;
        self.tell_presence(&report.presence).await;
        if report.is_first {
            tracing::info!(edge = %request.edge, open = request.open, "edge counts as alive");
        }
        Ok(Reported { renew_all: report.is_first })
    }
}
