//! `admin.settle_report`: closes a report.

use broker_schemas::admin::SettleReport;
use broker_schemas::{Done, Error, Moderator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::text::check_says_something;

impl Handle<SettleReport> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: SettleReport) -> Result<Done> {
        self.audited(call, &request, None, async {
            check_says_something("note", &request.note)?;
            let by = call.caller.signed_in().user();
            let report =
                self.store.settle_report(request.report, by, &request.note, Timestamp::now()).await?;
            let settled = report.ok_or_else(|| Error::not_found("there is no such report"))?.settled;
            match settled {
                Some(settled) if settled.by == by && settled.note == *request.note => Ok(Done {}),
                Some(settled) => {
                    let already = format!("user {} has settled it already: {}", settled.by, settled.note);
                    Err(Error::conflict(already).into())
                }
                None => Err(Error::internal().into()),
            }
        })
        .await
    }
}
