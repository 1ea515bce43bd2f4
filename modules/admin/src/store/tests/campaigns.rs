use broker_schemas::admin::{CampaignState, Hours, Segment, Span};
use broker_schemas::{List, Timestamp};

use super::{each_database, user};
use crate::store::{Leased, NewCampaign, Store};

pub(crate) fn campaign(segment: Segment) -> NewCampaign {
    NewCampaign {
        title: "Spring".into(),
        text: "Hello".into(),
        segment,
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: 500,
    }
}

/// A campaign that runs.
async fn running(store: &Store, new: &NewCampaign) -> u64 {
    let id = store.create_campaign(new, user(1), Timestamp::now()).await.unwrap();
    assert!(store.move_campaign(id, CampaignState::Draft, CampaignState::Running, Some(9)).await.unwrap());
    id
}

const fn lease(by: &str, now: i64) -> Leased<'_> {
    Leased { by, now: Timestamp(now), until: Timestamp(now + 100) }
}

#[tokio::test]
async fn a_campaign_is_read_as_it_was_written() {
    each_database(async |store| {
        let span = Span { from: Some(Timestamp(5)), to: None };
        for segment in [
            Segment::All {},
            Segment::SignedUp(span),
            Segment::LastSeen(span),
            Segment::Users(List::new(vec![user(3), user(2)]).unwrap()),
        ] {
            let new = NewCampaign {
                starts_at: Some(Timestamp(1)),
                hours: Some(Hours { from_minute: 1_320, to_minute: 0 }),
                ..campaign(segment)
            };
            let id = store.create_campaign(&new, user(1), Timestamp(2)).await.unwrap();
            let stored = store.campaign(id).await.unwrap().unwrap();
            assert_eq!((stored.plan, stored.state), (new, CampaignState::Draft));
            assert_eq!((stored.recipients, stored.last_user, stored.trouble), (None, None, None));
        }
        assert_eq!(store.campaigns(Some(3), 10).await.unwrap().len(), 2);
        assert!(store.campaign(99).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn one_copy_at_a_time_has_the_right_to_send_and_a_dead_ones_right_ends() {
    each_database(async |store| {
        let id = running(&store, &campaign(Segment::All {})).await;
        assert!(store.lease_campaign(id, lease("a", 1_000)).await.unwrap().is_some());
        assert!(store.lease_campaign(id, lease("b", 1_050)).await.unwrap().is_none());
        assert!(store.due_campaigns(lease("b", 1_050), 10).await.unwrap().is_empty());
        assert_eq!(store.due_campaigns(lease("a", 1_050), 10).await.unwrap().len(), 1);
        assert!(store.lease_campaign(id, lease("a", 1_050)).await.unwrap().is_some());
        // The first one is silent for longer than its lease.
        assert!(store.lease_campaign(id, lease("b", 1_150)).await.unwrap().is_some());
        assert_eq!(store.advance_campaign(id, lease("a", 1_151), user(5)).await.unwrap(), None);
        store.trouble_campaign(id, lease("a", 1_151), "late words").await.unwrap();
        store.finish_campaign(id, "a").await.unwrap();
        store.release_campaign(id, "a").await.unwrap();
        assert!(store.lease_campaign(id, lease("a", 1_152)).await.unwrap().is_none());
        let stored = store.campaign(id).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.trouble, stored.last_user), (CampaignState::Running, None, None));
        store.release_campaign(id, "b").await.unwrap();
        assert!(store.lease_campaign(id, lease("a", 1_153)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn of_two_copies_that_ask_at_once_one_gets_the_lease() {
    each_database(async |store| {
        let id = running(&store, &campaign(Segment::All {})).await;
        let names: Vec<_> = (0..8).map(|n| n.to_string()).collect();
        let asks = names.iter().map(|name| store.lease_campaign(id, lease(name, 1_000)));
        let got = futures_util::future::join_all(asks).await;
        assert_eq!(got.into_iter().filter(|got| got.as_ref().unwrap().is_some()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn how_far_a_campaign_got_is_kept_when_it_is_halted_and_never_goes_back() {
    each_database(async |store| {
        let id = running(&store, &campaign(Segment::All {})).await;
        let mine = lease("a", 1_000);
        store.lease_campaign(id, mine).await.unwrap();
        assert_eq!(store.advance_campaign(id, mine, user(5)).await.unwrap(), Some(CampaignState::Running));
        assert_eq!(store.advance_campaign(id, mine, user(4)).await.unwrap(), None);
        store.trouble_campaign(id, mine, "unavailable: nobody serves it").await.unwrap();
        assert!(store.campaign(id).await.unwrap().unwrap().trouble.is_some());
        store.move_campaign(id, CampaignState::Running, CampaignState::Paused, None).await.unwrap();
        assert_eq!(store.advance_campaign(id, mine, user(6)).await.unwrap(), Some(CampaignState::Paused));
        assert!(store.lease_campaign(id, mine).await.unwrap().is_none());
        store.finish_campaign(id, "a").await.unwrap();
        let stored = store.campaign(id).await.unwrap().unwrap();
        assert_eq!(
            (stored.state, stored.last_user, stored.trouble),
            (CampaignState::Paused, Some(user(6)), None)
        );
        assert_eq!(stored.recipients, Some(9));
        // Somebody else was faster.
        assert!(
            !store.move_campaign(id, CampaignState::Running, CampaignState::Cancelled, None).await.unwrap()
        );
    })
    .await;
}

#[tokio::test]
async fn a_campaign_that_waits_for_its_start_takes_no_place_of_those_that_are_sent() {
    each_database(async |store| {
        let later = NewCampaign { starts_at: Some(Timestamp(9_000)), ..campaign(Segment::All {}) };
        running(&store, &later).await;
        let (sent, other) = (
            running(&store, &campaign(Segment::All {})).await,
            running(&store, &campaign(Segment::All {})).await,
        );
        assert_eq!(store.running_campaigns(Timestamp(1_000)).await.unwrap(), 2);
        assert_eq!(store.running_campaigns(Timestamp(9_000)).await.unwrap(), 3);
        // With one place, the other one waits for as long as the first is sent.
        let waits = async |id, now| store.waits_for_others(id, 1, Timestamp(now)).await.unwrap();
        assert!(!waits(other, 1_000).await);
        store.lease_campaign(sent, lease("a", 1_000)).await.unwrap().unwrap();
        assert!(waits(other, 1_050).await && !waits(sent, 1_050).await);
        assert!(!waits(other, 1_100).await, "the first one's lease is over");
    })
    .await;
}

#[tokio::test]
async fn a_campaign_waits_for_its_time_and_ends_at_its_end_also_while_paused() {
    each_database(async |store| {
        let new = NewCampaign {
            starts_at: Some(Timestamp(2_000)),
            ends_at: Some(Timestamp(3_000)),
            ..campaign(Segment::All {})
        };
        let (sends, paused) = (running(&store, &new).await, running(&store, &new).await);
        store.move_campaign(paused, CampaignState::Running, CampaignState::Paused, None).await.unwrap();
        assert!(store.due_campaigns(lease("a", 1_999), 10).await.unwrap().is_empty());
        assert!(store.lease_campaign(sends, lease("a", 1_999)).await.unwrap().is_none());
        assert_eq!(store.due_campaigns(lease("a", 2_000), 10).await.unwrap().len(), 1);
        assert_eq!(store.expire_campaigns(Timestamp(2_999)).await.unwrap(), 0);
        assert_eq!(store.expire_campaigns(Timestamp(3_000)).await.unwrap(), 2);
        for id in [sends, paused] {
            assert_eq!(store.campaign(id).await.unwrap().unwrap().state, CampaignState::Expired);
        }
    })
    .await;
}
