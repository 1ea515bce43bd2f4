//! A runner on real tables. The other modules are what `Post` says they are: a user who has a campaign's message doesn't get it
//! again. That they are so, `tests/` shows with the real ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use broker_schemas::admin::{CampaignState, Hours, Segment};
use tokio_util::task::TaskTracker;

use super::*;
use crate::Checked;
use crate::store::NewCampaign;
use crate::store::tests::{each_database, user};

/// Users 1 to `users`.
#[derive(Debug, Default)]
struct World {
    users: u64,
    /// Whom a post reached, and how often it asked for.
    posted: Mutex<HashMap<UserId, u32>>,
    posts: AtomicU32,
    is_down: AtomicBool,
    /// After so many posts the next one is done and never answered, as when the process dies.
    dies_after: Option<u32>,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
}

impl Courier for Arc<World> {
    async fn page(&self, segment: &Segment, after: Option<UserId>) -> Checked<Page> {
        assert_eq!(*segment, Segment::All {});
        let after = after.map_or(0, UserId::get);
        let users: Vec<_> = (after + 1..=self.users).take(100).map(user).collect();
        Ok(Page { last: users.last().copied(), users })
    }

    async fn post(&self, _: u64, text: &str, to: Vec<UserId>) -> Checked<()> {
        assert_eq!(text, "Hello");
        if self.is_down.load(Ordering::Relaxed) {
            return Err(Error::unavailable("nobody serves message.v1.post now"));
        }
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        for user in to {
            *self.posted.lock().unwrap().entry(user).or_default() += 1;
        }
        let posts = self.posts.fetch_add(1, Ordering::Relaxed) + 1;
        if self.dies_after.is_some_and(|most| posts > most) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

impl World {
    fn of(users: u64) -> Self {
        Self { users, ..Self::default() }
    }

    fn reached(&self) -> usize {
        self.posted.lock().unwrap().len()
    }
}

async fn running(store: &Store, plan: NewCampaign) -> u64 {
    let id = store.create_campaign(&plan, user(1), Timestamp::now()).await.unwrap();
    assert!(store.move_campaign(id, CampaignState::Draft, CampaignState::Running, None).await.unwrap());
    id
}

fn plan(per_second: u32) -> NewCampaign {
    NewCampaign {
        title: "Spring".into(),
        text: "Hello".into(),
        segment: Segment::All {},
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second,
    }
}

fn runner(store: &Store, world: &Arc<World>, copy: &str, campaign: u64) -> Runner<Arc<World>> {
    Runner::new(store.clone(), world.clone(), copy.to_owned(), campaign, CancellationToken::new())
}

async fn state(store: &Store, campaign: u64) -> CampaignState {
    store.campaign(campaign).await.unwrap().unwrap().state
}

#[tokio::test]
async fn everyone_in_the_segment_is_posted_to_once_and_then_it_is_done() {
    each_database(async |store| {
        let world = Arc::new(World::of(250));
        let id = running(&store, plan(10_000)).await;
        runner(&store, &world, "a", id).run().await;
        assert_eq!(state(&store, id).await, CampaignState::Done);
        assert_eq!(world.reached(), 250);
        assert!(world.posted.lock().unwrap().values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test]
async fn what_was_posted_and_not_noted_is_posted_again_and_nobody_is_left_out() {
    each_database(async |store| {
        let first = Arc::new(World { dies_after: Some(3), ..World::of(250) });
        let id = running(&store, plan(300)).await;
        // Killed between a post and its note: nothing after the post happens.
        let killed = runner(&store, &first, "a", id);
        let died = tokio::time::timeout(Duration::from_secs(1), killed.run()).await;
        assert!(died.is_err());
        let noted = store.campaign(id).await.unwrap().unwrap().last_user.map_or(0, UserId::get);
        assert!(noted < first.reached() as u64, "{noted} noted, {} posted", first.reached());

        store.release_campaign(id, "a").await.unwrap();
        let second = Arc::new(World::of(250));
        let goes_on = NewCampaign { per_second: 10_000, ..plan(1) };
        assert_eq!(goes_on.text, "Hello");
        runner(&store, &second, "b", id).run().await;
        assert_eq!(state(&store, id).await, CampaignState::Done);
        let (first, second) = (first.posted.lock().unwrap(), second.posted.lock().unwrap());
        for number in 1..=250 {
            let (before, after) = (first.contains_key(&user(number)), second.contains_key(&user(number)));
            assert!(before || after, "user {number} has nothing");
            assert_eq!(after, number > noted, "user {number}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_copies_do_not_both_send() {
    each_database(async |store| {
        let world = Arc::new(World::of(400));
        let id = running(&store, plan(2_000)).await;
        let copies: Vec<_> =
            ["a", "b", "c"].map(|copy| runner(&store, &world, copy, id)).into_iter().collect();
        futures_util::future::join_all(copies.iter().map(Runner::run)).await;
        assert_eq!(world.most_at_once.load(Ordering::Relaxed), 1);
        assert_eq!((world.reached(), state(&store, id).await), (400, CampaignState::Done));
        assert!(world.posted.lock().unwrap().values().all(|times| *times == 1));
    })
    .await;
}

async fn until_reached(world: &World, count: usize) {
    let reached = async {
        while world.reached() < count {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("somebody is reached");
}

#[tokio::test]
async fn a_campaign_that_is_halted_stops_soon_and_goes_on_where_it_was() {
    each_database(async |store| {
        let world = Arc::new(World::of(1_000));
        let id = running(&store, plan(200)).await;
        let sending = runner(&store, &world, "a", id);
        let halt = async {
            until_reached(&world, 20).await;
            store.move_campaign(id, CampaignState::Running, CampaignState::Paused, None).await.unwrap();
        };
        let halted =
            tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(sending.run(), halt) }).await;
        halted.unwrap();
        let reached = world.reached();
        assert!((20..900).contains(&reached), "{reached}");
        let noted = store.campaign(id).await.unwrap().unwrap().last_user.unwrap();
        assert_eq!(noted.get(), reached as u64);

        store.move_campaign(id, CampaignState::Paused, CampaignState::Running, None).await.unwrap();
        let more = runner(&store, &world, "a", id);
        tokio::select! {
            () = more.run() => {}
            () = until_reached(&world, reached + 1) => {}
        }
        assert!(world.reached() > reached);
        assert!(world.posted.lock().unwrap().values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test]
async fn a_campaign_says_why_it_does_not_get_on_and_gets_on_when_it_can() {
    each_database(async |store| {
        let world = Arc::new(World::of(20));
        world.is_down.store(true, Ordering::Relaxed);
        let id = running(&store, plan(10_000)).await;
        let sending = runner(&store, &world, "a", id);
        let watch = async {
            let trouble = async || store.campaign(id).await.unwrap().unwrap().trouble;
            while trouble().await.is_none() {
                sleep(Duration::from_millis(10)).await;
            }
            assert!(trouble().await.unwrap().contains("nobody serves message.v1.post now"));
            world.is_down.store(false, Ordering::Relaxed);
        };
        tokio::join!(sending.run(), watch);
        let stored = store.campaign(id).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.trouble, world.reached()), (CampaignState::Done, None, 20));
    })
    .await;
}

#[tokio::test]
async fn outside_its_hours_a_campaign_leaves_without_a_word() {
    each_database(async |store| {
        let world = Arc::new(World::of(20));
        let minute = u16::try_from(Timestamp::now().0.div_euclid(60_000).rem_euclid(1_440)).unwrap();
        let hours = Hours { from_minute: (minute + 120) % 1_440, to_minute: (minute + 180) % 1_440 };
        let id = running(&store, NewCampaign { hours: Some(hours), ..plan(100) }).await;
        runner(&store, &world, "a", id).run().await;
        assert_eq!((world.reached(), state(&store, id).await), (0, CampaignState::Running));
        // Nobody has to wait for the end of its lease.
        assert!(store.lease_campaign(id, lease("b")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_process_that_stops_notes_how_far_it_got_and_lets_go() {
    each_database(async |store| {
        let world = Arc::new(World::of(1_000));
        let id = running(&store, plan(200)).await;
        let sending = runner(&store, &world, "a", id);
        let stop = sending.stop.clone();
        let tasks = TaskTracker::new();
        tasks.spawn(async move { sending.run().await });
        tasks.close();
        until_reached(&world, 1).await;
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await.unwrap();
        let noted = store.campaign(id).await.unwrap().unwrap().last_user.unwrap();
        assert_eq!(noted.get(), world.reached() as u64);
        assert!(store.lease_campaign(id, lease("b")).await.unwrap().is_some());
    })
    .await;
}
