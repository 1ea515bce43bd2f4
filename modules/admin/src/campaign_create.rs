//! `admin.campaign_create`: writes a campaign down.

use broker_schemas::admin::{CampaignCreated, CreateCampaign, PER_SECOND_MAX, Segment};
use broker_schemas::{Error, Operator, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::campaigning::check_hours;
use crate::horizon::{check_end, check_span, check_start};
use crate::store::NewCampaign;
use crate::text::check_says_something;
use crate::{Checked, Module};

const PER_SECOND_DEFAULT: u32 = 500;

impl Handle<CreateCampaign> for Module {
    async fn handle(&self, call: &Call<Operator>, request: CreateCampaign) -> Result<CampaignCreated> {
        self.audited(call, &request, None, async {
            let now = Timestamp::now();
            let new = check(&request, now)?;
            let by = call.caller.signed_in().user();
            let campaign = self.store.create_campaign(&new, by, now).await?;
            Ok(CampaignCreated { campaign })
        })
        .await
    }
}

fn check(request: &CreateCampaign, now: Timestamp) -> Checked<NewCampaign> {
    let CreateCampaign { title, text, segment, starts_at, ends_at, hours, per_second } = request;
    check_says_something("title", title)?;
    check_says_something("text", text)?;
    check_segment(segment, now)?;
    hours.map_or(Ok(()), check_hours)?;
    starts_at.map_or(Ok(()), |start| check_start("starts_at", start, now))?;
    ends_at.map_or(Ok(()), |end| check_end("ends_at", end, now))?;
    if starts_at.zip(*ends_at).is_some_and(|(start, end)| end <= start) {
        return Err(Error::invalid("ends_at: expected a moment after starts_at"));
    }
    let per_second = per_second.unwrap_or(PER_SECOND_DEFAULT);
    if !(1..=PER_SECOND_MAX).contains(&per_second) {
        let message = format!("per_second: expected 1 to {PER_SECOND_MAX}, got {per_second}");
        return Err(Error::invalid(message));
    }
    Ok(NewCampaign {
        title: title.to_string(),
        text: text.to_string(),
        segment: segment.clone(),
        starts_at: *starts_at,
        ends_at: *ends_at,
        hours: *hours,
        per_second,
    })
}

fn check_segment(segment: &Segment, now: Timestamp) -> Checked<()> {
    match segment {
        Segment::All {} | Segment::Group(_) => Ok(()),
        Segment::SignedUp(span) | Segment::LastSeen(span) => check_span("segment", *span, now),
        Segment::Users(users) if users.is_empty() => {
            Err(Error::invalid("segment.users: expected at least one"))
        }
        Segment::Users(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::admin::{Hours, Span};
    use broker_schemas::{List, Text};

    fn request() -> CreateCampaign {
        CreateCampaign {
            title: Text::new("Spring").unwrap(),
            text: Text::new("Hello").unwrap(),
            segment: Segment::All {},
            starts_at: None,
            ends_at: None,
            hours: None,
            per_second: None,
        }
    }

    #[test]
    fn a_campaign_that_could_never_send_is_refused_by_field() {
        let now = Timestamp(3);
        assert_eq!(check(&request(), now).unwrap().per_second, 500);
        let at = |moment| Some(Timestamp(moment));
        let span = |from, to| Segment::SignedUp(Span { from, to });
        for (bad, field) in [
            (CreateCampaign { title: Text::new(" ").unwrap(), ..request() }, "title"),
            (CreateCampaign { text: Text::new("").unwrap(), ..request() }, "text"),
            (CreateCampaign { starts_at: at(5), ends_at: at(5), ..request() }, "ends_at"),
            (CreateCampaign { ends_at: at(2), ..request() }, "ends_at"),
            (CreateCampaign { ends_at: at(i64::MAX), ..request() }, "ends_at"),
            (CreateCampaign { starts_at: at(i64::MAX), ..request() }, "starts_at"),
            (CreateCampaign { starts_at: at(-1), ..request() }, "starts_at"),
            (CreateCampaign { segment: span(None, at(i64::MAX)), ..request() }, "segment.to"),
            (CreateCampaign { text: Text::new("\u{200b}").unwrap(), ..request() }, "text"),
            (CreateCampaign { per_second: Some(0), ..request() }, "per_second"),
            (CreateCampaign { per_second: Some(10_001), ..request() }, "per_second"),
            (CreateCampaign { hours: Some(Hours { from_minute: 1, to_minute: 1 }), ..request() }, "hours"),
            (CreateCampaign { segment: span(None, None), ..request() }, "segment"),
            (CreateCampaign { segment: span(at(5), at(4)), ..request() }, "segment.to"),
            (
                CreateCampaign { segment: Segment::Users(List::new(vec![]).unwrap()), ..request() },
                "segment.users",
            ),
        ] {
            let error = check(&bad, now).unwrap_err();
            assert!(error.message.starts_with(field), "{error}");
        }
    }
}
