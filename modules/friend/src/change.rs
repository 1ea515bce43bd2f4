//! One change of a relation: locked, decided by a method's rule, held against the limits, stored.

use broker_schemas::{Error, UserId};
use natter_host::Result;

use crate::Settings;
use crate::relation::{Pair, Relation, Ruled, Tie};
use crate::store::{Kind, Locked, Store};

/// What a relation was and what it became, as the user who changed it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) before: Relation,
    pub(crate) after: Relation,
}

impl Change {
    /// The two became friends.
    pub(crate) fn befriends(&self) -> bool {
        self.after.are_friends() && !self.before.are_friends()
    }

    /// I asked, and hadn't before.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.after.tie, Tie::Asked(_)) && self.before.tie != self.after.tie
    }

    /// I block, and didn't before.
    pub(crate) fn blocks(&self) -> bool {
        self.after.blocks.is_some() && self.before.blocks.is_none()
    }

    /// A friendship or request ended.
    pub(crate) fn unties(&self) -> bool {
        self.after.tie == Tie::None && self.before.tie != Tie::None
    }
}

impl Store {
    /// Changes the relation of `pair` as `rule` says; stores nothing when the rule refuses or leaves it as it is.
    pub(crate) async fn change(
        &self,
        pair: Pair,
        limits: &Settings,
        rule: impl FnOnce(Relation) -> Ruled + Send,
    ) -> Result<Change> {
        let mut locked = self.lock(pair).await?;
        let before = locked.relation;
        let change = Change { before, after: rule(before)? };
        if change.after == before {
            locked.release().await?;
            return Ok(change);
        }
        check_limits(&mut locked, pair, limits, &change).await?;
        locked.commit(change.after).await?;
        Ok(change)
    }
}

/// The lock is on the pair, so changes with different users at the same moment can pass a limit by a few.
async fn check_limits(locked: &mut Locked, pair: Pair, limits: &Settings, change: &Change) -> Result<()> {
    let Pair { me, other } = pair;
    if change.befriends() {
        check(locked, me, Kind::Friend, limits.max_friends, "you have").await?;
        check(locked, other, Kind::Friend, limits.max_friends, "the other user has").await?;
    }
    if change.asks() {
        check(locked, me, Kind::Outgoing, limits.max_pending, "you have").await?;
    }
    if change.blocks() {
        check(locked, me, Kind::Blocked, limits.max_blocked, "you have").await?;
    }
    Ok(())
}

async fn check(locked: &mut Locked, user: UserId, kind: Kind, limit: u32, whose: &str) -> Result<()> {
    if locked.count(user, kind).await? < u64::from(limit) {
        return Ok(());
    }
    Err(Error::conflict(format!("{whose} {limit} {kind} already, which is the limit")).into())
}

#[cfg(test)]
mod tests {
    use broker_schemas::{Code, Timestamp};
    use natter_host::Failure;

    use super::*;
    use crate::relation::tests::{NOW, pair};
    use crate::store::tests::stores;

    const LIMITS: Settings =
        Settings { max_friends: 2, max_pending: 2, max_blocked: 2, change_burst: 0, change_interval_ms: 1 };

    async fn request(store: &Store, me: u64, other: u64) -> Result<Change> {
        store.change(pair(me, other), &LIMITS, |relation| relation.request(NOW)).await
    }

    async fn befriend(store: &Store, me: u64, other: u64) -> Result<Change> {
        request(store, me, other).await?;
        request(store, other, me).await
    }

    async fn block(store: &Store, me: u64, other: u64) -> Result<Change> {
        store.change(pair(me, other), &LIMITS, |relation| Ok(relation.block(NOW))).await
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Error {
        match result {
            Err(Failure::Refused(error)) => error,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_change_that_is_repeated_is_none() {
        for (store, test) in stores().await {
            assert!(request(&store, 1, 2).await.unwrap().asks(), "{}", test.name);
            let later = |relation: Relation| relation.request(Timestamp(NOW.0 + 1));
            let again = store.change(pair(1, 2), &LIMITS, later).await.unwrap();
            assert_eq!(again.before, again.after, "{}", test.name);
            assert_eq!(store.gate(pair(1, 2)).await.unwrap().version, 1, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn what_a_rule_refuses_or_leaves_leaves_no_trace() {
        for (store, test) in stores().await {
            let refused = store.change(pair(1, 2), &LIMITS, |relation| relation.accept(NOW)).await;
            assert_eq!(refusal(refused).code, Code::NotFound, "{}", test.name);
            store.change(pair(1, 2), &LIMITS, |relation| Ok(relation.remove())).await.unwrap();
            assert!(store.forget(pair(1, 2).me, 10).await.unwrap().is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn requests_that_cross_make_friends_once() {
        for (store, test) in stores().await {
            for other in 2..20 {
                let (mine, theirs) =
                    tokio::join!(request_unlimited(&store, 1, other), request_unlimited(&store, other, 1));
                assert!(mine.befriends() ^ theirs.befriends(), "{}: {mine:?} {theirs:?}", test.name);
                let gate = store.gate(pair(1, other)).await.unwrap();
                assert_eq!((gate.open, gate.version), (true, 2), "{}", test.name);
            }
        }
    }

    async fn request_unlimited(store: &Store, me: u64, other: u64) -> Change {
        let rule = |relation: Relation| relation.request(NOW);
        store.change(pair(me, other), &Settings::default(), rule).await.unwrap()
    }

    #[tokio::test]
    async fn limits_hold_for_both_sides_and_are_named() {
        for (store, test) in stores().await {
            request(&store, 1, 2).await.unwrap();
            request(&store, 1, 3).await.unwrap();
            let error = refusal(request(&store, 1, 4).await);
            assert_eq!(error.code, Code::Conflict, "{}", test.name);
            assert!(error.message.contains("you have 2 unanswered requests"), "{error}");

            request(&store, 2, 1).await.unwrap();
            request(&store, 3, 1).await.unwrap();
            let error = refusal(befriend(&store, 1, 4).await);
            assert!(error.message.contains("the other user has 2 friends"), "{error}");
            let error = refusal(befriend(&store, 5, 1).await);
            assert!(error.message.contains("you have 2 friends"), "{error}");

            block(&store, 1, 6).await.unwrap();
            block(&store, 1, 7).await.unwrap();
            let error = refusal(block(&store, 1, 8).await);
            assert!(error.message.contains("you have 2 blocked users"), "{error}");
            block(&store, 1, 7).await.unwrap();
        }
    }
}
