//! Budgets that copies of a service share.

use tokio_util::task::TaskTracker;

use super::*;
use crate::Limiter;

const NEVER: Duration = Duration::from_secs(3_600);

/// A copy's limiter, of which nothing comes back, and which shares until `tasks` is dropped with the test.
async fn copy(bus: &Bus, burst: u32, tasks: &TaskTracker) -> Limiter<u64> {
    let (limiter, sharing) = Limiter::new(burst, NEVER).shared(bus, "sends").await.unwrap();
    tasks.spawn(sharing);
    bus.fence().await.unwrap();
    limiter
}

/// Waits until copies have heard what was told before.
async fn heard() {
    sleep(Duration::from_secs(2)).await;
}

/// How many pieces a copy lets `key` spend.
fn left(limiter: &Limiter<u64>, key: u64) -> usize {
    std::iter::repeat_with(|| limiter.check(&key, "")).take_while(std::result::Result::is_ok).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_copy_spent_is_gone_in_the_others_and_in_no_other_service() {
    let rig = Rig::start().await;
    let tasks = TaskTracker::new();
    let service = Holder::Service("message");
    let (one, other) = (rig.bus(service).await, rig.bus(service).await);
    let stranger = rig.bus(Holder::Service("friend")).await;
    let one = copy(&one, 5, &tasks).await;
    let other = copy(&other, 5, &tasks).await;
    let stranger = copy(&stranger, 5, &tasks).await;
    for _ in 0..3 {
        one.check(&7, "").unwrap();
    }
    heard().await;
    assert_eq!(left(&other, 7), 2);
    heard().await;
    assert_eq!(left(&one, 7), 0);
    assert_eq!(left(&other, 8), 5);
    assert_eq!(left(&stranger, 7), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_under_load_is_told_in_few_messages() {
    let rig = Rig::start().await;
    let tasks = TaskTracker::new();
    let service = Holder::Service("message");
    let (one, other) = (rig.bus(service).await, rig.bus(service).await);
    let mut told = other.subscribe(&subject::spent("message", "sends")).await.unwrap();
    let one = copy(&one, 10, &tasks).await;
    let other = copy(&other, 10, &tasks).await;
    for _ in 0..10 {
        for key in 0..100 {
            one.check(&key, "").unwrap();
        }
    }
    heard().await;
    for key in 0..100 {
        assert_eq!(left(&other, key), 0, "{key}");
    }
    let mut messages = 0;
    while timeout(Duration::from_millis(100), told.next()).await.is_ok() {
        messages += 1;
    }
    assert!((1..=50).contains(&messages), "{messages}");
}
