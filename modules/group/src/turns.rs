//! One at a time for each group: telling the same changes twice at once costs, and tells users twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_schemas::GroupId;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// Whose turn it is, for each group of which somebody has or awaits a turn: so there are no more than calls under way.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    groups: Mutex<HashMap<GroupId, Arc<tokio::sync::Mutex<Last>>>>,
}

/// What became of the turn before.
#[derive(Debug, Default)]
struct Last {
    failed_at: Option<Instant>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    group: GroupId,
    began_waiting: Instant,
    /// Always there until the drop.
    last: Option<OwnedMutexGuard<Last>>,
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(&self, group: GroupId) -> Turn<'_> {
        let mut turn = Turn { turns: self, group, began_waiting: Instant::now(), last: None };
        let last = self.groups().entry(group).or_default().clone();
        turn.last = Some(last.lock_owned().await);
        turn
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<GroupId, Arc<tokio::sync::Mutex<Last>>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Whether a turn that failed ended while this one was awaited.
    pub(crate) fn others_failed_meanwhile(&self) -> bool {
        let failed_at = self.last.as_ref().and_then(|last| last.failed_at);
        failed_at.is_some_and(|failed_at| failed_at >= self.began_waiting)
    }

    /// Says to those who wait that this turn failed.
    pub(crate) fn failed(&mut self) {
        if let Some(last) = &mut self.last {
            last.failed_at = Some(Instant::now());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut groups = self.turns.groups();
        self.last = None;
        // Copies are made with the map locked, so the map's own is the last one if it is the only one.
        if let Entry::Occupied(entry) = groups.entry(self.group)
            && Arc::strong_count(entry.get()) == 1
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn group(number: u64) -> GroupId {
        GroupId::new(number).unwrap()
    }

    #[tokio::test]
    async fn one_group_waits_for_itself_only() {
        let turns = Turns::default();
        let first = turns.take(group(1)).await;
        assert!(turns.take(group(1)).now_or_never().is_none());
        assert!(turns.take(group(2)).now_or_never().is_some());
        drop(first);
        assert!(turns.take(group(1)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_groups_that_nobody_waits_for() {
        let turns = Turns::default();
        let first = turns.take(group(1)).await;
        // Given up while waiting, as a handler whose deadline passes does.
        let _ = tokio::time::timeout(Duration::from_millis(10), turns.take(group(1))).await;
        assert_eq!(turns.groups().len(), 1);
        drop(first);
        assert!(turns.groups().is_empty());
    }

    #[tokio::test]
    async fn who_waited_learns_of_a_failure_and_who_comes_later_does_not() {
        let turns = Turns::default();
        let mut first = turns.take(group(1)).await;
        let waiting = turns.take(group(1));
        let waited = async {
            let second = waiting.await;
            second.others_failed_meanwhile()
        };
        let fail = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            first.failed();
            drop(first);
        };
        let (failed, ()) = tokio::join!(waited, fail);
        assert!(failed);
        assert!(!turns.take(group(1)).await.others_failed_meanwhile());
    }
}
