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
    if change.befriends() {
        check(locked, pair.me, Kind::Friend, limits.max_friends, "you have").await?;
        check(locked, pair.other, Kind::Friend, limits.max_friends, "the other user has").await?;
    }
    if change.asks() {
        check(locked, pair.me, Kind::Outgoing, limits.max_pending, "you have").await?;
    }
    if change.blocks() {
        check(locked, pair.me, Kind::Blocked, limits.max_blocked, "you have").await?;
    }
    Ok(())
}

async fn check(locked: &mut Locked, user: UserId, kind: Kind, limit: u32, whose: &str) -> Result<()> {
    if locked.count(user, kind).await? < u64::from(limit) {
        return Ok(());
    }
    let what = match kind {
        Kind::Friend => "friends",
        Kind::Outgoing => "requests without an answer",
        Kind::Incoming => "requests to answer",
        Kind::Blocked => "blocked users",
    };
    Err(Error::conflict(format!("{whose} {limit} {what}, which is the limit")).into())
}
