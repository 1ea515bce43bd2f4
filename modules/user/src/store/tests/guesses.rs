//! What wrong passwords cost, in the tables.

use super::*;

const ALICE: &str = "pair 192.0.2.1 alice";
const BOB: &str = "pair 192.0.2.1 bob";

fn at(millis: i64) -> Timestamp {
    Timestamp(millis)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn what_one_copy_spent_another_finds_and_adds_to() {
    each_database(async |store| {
        let other = Store::new(store.database.clone());
        store.spend(at(1_000), &[("origin 192.0.2.1", seconds(1)), (ALICE, seconds(30))]).await.unwrap();
        other.spend(at(2_000), &[("origin 192.0.2.1", seconds(1)), (ALICE, seconds(30))]).await.unwrap();
        let found = store.budgets_whole_at(&[ALICE, BOB, "origin 192.0.2.1"]).await.unwrap();
        // The first was whole again when the second was spent of.
        let expected = [(ALICE.to_owned(), at(61_000)), ("origin 192.0.2.1".to_owned(), at(3_000))];
        assert_eq!(found, expected.into());
    })
    .await;
}

#[tokio::test]
async fn those_who_fail_at_once_lose_nothing_of_what_they_spend() {
    each_database(async |store| {
        let pieces = [("account alice", seconds(30)), ("origin 192.0.2.1", seconds(1)), (ALICE, seconds(30))];
        let all = futures_util::future::join_all((0..20).map(|_| store.spend(at(0), &pieces))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!(store.budgets_whole_at(&[ALICE]).await.unwrap()[ALICE], at(600_000));
    })
    .await;
}

#[tokio::test]
async fn what_is_whole_again_goes_and_nothing_else() {
    each_database(async |store| {
        let keys: Vec<_> = (0..2_500).map(|n| format!("account {n}")).collect();
        for keys in keys.chunks(500) {
            let pieces: Vec<_> = keys.iter().map(|key| (&**key, seconds(30))).collect();
            store.spend(at(0), &pieces).await.unwrap();
        }
        store.spend(at(1), &[(ALICE, seconds(30))]).await.unwrap();
        assert_eq!(store.forget_whole_budgets(at(29_999)).await.unwrap(), 0);
        assert_eq!(store.forget_whole_budgets(at(30_000)).await.unwrap(), 2_500);
        assert_eq!(store.budgets_whole_at(&[ALICE, &keys[0]]).await.unwrap().len(), 1);
        assert_eq!(store.forget_whole_budgets(at(30_001)).await.unwrap(), 1);
    })
    .await;
}
