//! Examples of campaigns.

use broker_schemas::admin::{self, Campaign, CampaignState, Hours, Segment, Span};
use broker_schemas::message::Reach;

use super::super::{Example, group_id, list, reply, request, text, then, user_id};
use super::done;

pub(super) fn examples() -> Vec<Example> {
    [making(), steering(), looking()].into_iter().flatten().collect()
}

fn making() -> Vec<Example> {
    let plain = admin::CreateCampaign {
        title: text("Spring"),
        text: text("It is \"spring\".\n📚"),
        segment: Segment::All {},
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: None,
    };
    let to = |segment| admin::CreateCampaign { segment, ..plain.clone() };
    let mut examples: Vec<_> =
        segments().into_iter().map(|(case, segment)| request(case, &to(segment))).collect();
    examples.extend([
        request(
            "with everything",
            &admin::CreateCampaign {
                starts_at: Some(then()),
                ends_at: Some(then()),
                hours: Some(Hours { from_minute: 540, to_minute: 1_439 }),
                per_second: Some(10_000),
                ..plain.clone()
            },
        ),
        reply::<admin::CreateCampaign>("its id", &admin::CampaignCreated { campaign: 5 }),
        request("one", &admin::DryRun { campaign: 5 }),
        reply::<admin::DryRun>("a count", &admin::Forecast { recipients: 100_000, seconds: 200 }),
    ]);
    examples
}

/// Every segment, and what its example is called.
fn segments() -> Vec<(&'static str, Segment)> {
    let since = Span { from: Some(then()), to: None };
    let before = Span { from: None, to: Some(then()) };
    vec![
        ("to all", Segment::All {}),
        ("to a group", Segment::Group(group_id(9))),
        ("to who signed up since", Segment::SignedUp(since)),
        ("to who signed up before", Segment::SignedUp(before)),
        ("to who was last seen since", Segment::LastSeen(since)),
        ("to who was last seen before", Segment::LastSeen(before)),
        ("to some", Segment::Users(list(vec![user_id(7), user_id(300)]))),
    ]
}

fn steering() -> Vec<Example> {
    vec![
        request("one", &admin::StartCampaign { campaign: 5 }),
        done::<admin::StartCampaign>(),
        request("one", &admin::PauseCampaign { campaign: 5 }),
        done::<admin::PauseCampaign>(),
        request("one", &admin::ResumeCampaign { campaign: 5 }),
        done::<admin::ResumeCampaign>(),
        request("one", &admin::CancelCampaign { campaign: 5 }),
        done::<admin::CancelCampaign>(),
    ]
}

fn looking() -> Vec<Example> {
    let draft = Campaign {
        campaign: 5,
        title: "Spring".into(),
        text: "It is spring.".into(),
        segment: Segment::All {},
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: 500,
        state: CampaignState::Draft,
        trouble: None,
        recipients: None,
        reach: None,
    };
    let running = Campaign {
        starts_at: Some(then()),
        ends_at: Some(then()),
        hours: Some(Hours { from_minute: 1_320, to_minute: 360 }),
        state: CampaignState::Running,
        trouble: Some("the message module can't be reached".into()),
        recipients: Some(100_000),
        reach: Some(Reach { sent: 70_000, delivered: 300, read: 7 }),
        ..draft.clone()
    };
    let state = |state| Campaign { state, ..running.clone() };
    let all = segments().into_iter().map(|(_, segment)| Campaign { segment, ..draft.clone() }).collect();
    let mut examples: Vec<_> = segments()
        .into_iter()
        .map(|(case, segment)| reply::<admin::GetCampaign>(case, &Campaign { segment, ..draft.clone() }))
        .collect();
    examples.extend([
        reply::<admin::ListCampaigns>(
            "to whom they can be",
            &admin::Campaigns { campaigns: all, more: false },
        ),
        request("one", &admin::GetCampaign { campaign: 5 }),
        reply::<admin::GetCampaign>("a draft", &draft),
        reply::<admin::GetCampaign>("running, in trouble", &running),
        reply::<admin::GetCampaign>("paused", &state(CampaignState::Paused)),
        reply::<admin::GetCampaign>("done", &state(CampaignState::Done)),
        reply::<admin::GetCampaign>("expired", &state(CampaignState::Expired)),
        reply::<admin::GetCampaign>("cancelled", &state(CampaignState::Cancelled)),
        request("the newest", &admin::ListCampaigns { before: None, limit: None }),
        request("older ones", &admin::ListCampaigns { before: Some(5), limit: Some(200) }),
        reply::<admin::ListCampaigns>("nothing", &admin::Campaigns { campaigns: Vec::new(), more: false }),
        reply::<admin::ListCampaigns>(
            "a page",
            &admin::Campaigns { campaigns: vec![running.clone(), draft], more: true },
        ),
    ]);
    examples
}
