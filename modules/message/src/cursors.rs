//! Stores a batch of read cursors in one statement.

use std::collections::{BTreeMap, HashSet};

use broker_schemas::{Conversation, Error, Seq, UserId};

use crate::retry::{refusal, retrying};
use crate::store::Store;
use natter_host::Work;

/// Up to where a user has read a conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    pub(crate) user: UserId,
    pub(crate) conversation: Conversation,
    pub(crate) seq: Seq,
}

/// What became of a cursor.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It moved forward.
    Moved,
    /// It was as far already.
    Kept,
    /// The database did not do it, or nobody knows.
    Failed(Error),
}

pub(crate) struct Writer {
    store: Store,
}

impl Writer {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Work<Cursor, Outcome> for Writer {
    async fn work(&mut self, cursors: Vec<Cursor>) -> Vec<Outcome> {
        // Of one user's cursors in one conversation, only the furthest counts.
        let mut furthest = BTreeMap::new();
        for Cursor { user, conversation, seq } in &cursors {
            let place = furthest.entry((*user, *conversation)).or_insert(*seq);
            *place = (*place).max(*seq);
        }
        let moved: HashSet<_> = match retrying(|| self.store.move_cursors(&furthest)).await {
            Ok(moved) => moved.into_iter().collect(),
            Err(failure) => return vec![Outcome::Failed(refusal(failure)); cursors.len()],
        };
        let has_moved = |cursor: &Cursor| {
            let key = (cursor.user, cursor.conversation);
            moved.contains(&key) && furthest.get(&key) == Some(&cursor.seq)
        };
        cursors.iter().map(|cursor| if has_moved(cursor) { Outcome::Moved } else { Outcome::Kept }).collect()
    }
}
