//! `admin.announce`: shows a text to everyone until its end.

use std::time::Duration;

use broker_schemas::admin::{Announce, Announced, AnnouncedEvent};
use broker_schemas::announcement::MAX;
use broker_schemas::subject::Audience;
use broker_schemas::{Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::text::check_says_something;
use crate::{Checked, Module};

/// How long an announcement is shown at most: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Handle<Announce> for Module {
    async fn handle(&self, call: &Call<Operator>, request: Announce) -> Result<Announced> {
        self.audited(call, &request, None, async {
            let now = Timestamp::now();
            check_says_something("text", &request.text)?;
            check_end(request.until, now)?;
            let Some(event) = self.store.announce(&request.text, request.until, now).await? else {
                let full = format!("{MAX} announcements are in force: withdraw one first");
                return Err(Error::conflict(full).into());
            };
            self.push_announced(&event).await;
            Ok(Announced { announcement: event.announcement })
        })
        .await
    }
}

/// Checks until when an announcement is to be shown.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn check_end(until: Timestamp, now: Timestamp) -> Checked<()> {
    if now < until && until <= now.after(LONGEST) {
        Ok(())
    } else {
        Err(Error::invalid("until: expected a moment within a year from now"))
    }
}

impl Module {
    /// Shows an announcement to who is online. Best effort: the record is in the tables, and clients ask for it.
    pub(crate) async fn push_announced(&self, event: &AnnouncedEvent) {
        if let Err(error) = self.bus.push(Audience::Everyone, event).await {
            tracing::warn!(%error, announcement = event.announcement, "not shown to who is online");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_ends_later_than_now_and_within_a_year() {
        let now = Timestamp(1_000_000);
        assert!(check_end(Timestamp(1_000_001), now).is_ok());
        assert!(check_end(now, now).is_err());
        assert!(check_end(now.after(LONGEST + Duration::from_millis(1)), now).is_err());
        assert!(check_end(Timestamp(i64::MAX), now).is_err());
    }
}
