//! `admin.take_report`: what a user reports, or a rule.

use std::time::Duration;

use broker_schemas::admin::TakeReport;
use broker_schemas::{Done, Error, Part, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::store::Taken;
use crate::text::check_says_something;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Handle<TakeReport> for Module {
    async fn handle(&self, _: &Call<Part>, request: TakeReport) -> Result<Done> {
        check_says_something("reason", &request.reason)?;
        let now = Timestamp::now();
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let most = self.settings.reports_per_day;
        match self.store.take_report(&request, now, Timestamp(now.0 - day), most).await? {
            Taken::Taken => Ok(Done {}),
            Taken::TooMany { first } => {
                let wait = u64::try_from(first.0 + day - now.0).unwrap_or_default().max(1);
                let message = format!("at most {most} reports in 24 hours");
                Err(Error::rate_limited(message, Duration::from_millis(wait)).into())
            }
        }
    }
}
