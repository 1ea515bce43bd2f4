//! What stands between two users, as one of them sees it. What a method may make of it is in the method's file.

use broker_schemas::{Error, Timestamp, UserId};

/// Two different users: the one who acts or asks, and the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) me: UserId,
    pub(crate) other: UserId,
}

impl Pair {
    /// # Errors
    /// Nobody has a relation to themselves.
    pub(crate) fn new(me: UserId, other: UserId) -> Result<Self, Error> {
        if me == other { Err(Error::invalid("user: expected another user")) } else { Ok(Self { me, other }) }
    }

    pub(crate) const fn flipped(self) -> Self {
        Self { me: self.other, other: self.me }
    }

    /// The smaller id first: the order in which a pair is stored.
    pub(crate) fn ordered(self) -> (UserId, UserId) {
        (self.me.min(self.other), self.me.max(self.other))
    }
}

/// What one user and another are to each other, as the first one sees it; with the moment since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) tie: Tie,
    /// I block the other one.
    pub(crate) blocks: Option<Timestamp>,
    /// The other one blocks me.
    pub(crate) blocked: Option<Timestamp>,
}

/// What a method makes of a relation, or why it may not.
pub(crate) type Ruled = Result<Relation, Error>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tie {
    #[default]
    None,
    /// I asked the other one.
    Asked(Timestamp),
    /// The other one asked me.
    WasAsked(Timestamp),
    Friends(Timestamp),
}

impl Relation {
    /// The same, as the other one sees it.
    pub(crate) const fn flipped(self) -> Self {
        let tie = match self.tie {
            Tie::Asked(since) => Tie::WasAsked(since),
            Tie::WasAsked(since) => Tie::Asked(since),
            tie => tie,
        };
        Self { tie, blocks: self.blocked, blocked: self.blocks }
    }

    /// Whether the two may write to each other. A block ends a friendship, so friends don't block each other.
    pub(crate) const fn are_friends(self) -> bool {
        matches!(self.tie, Tie::Friends(_))
    }

    /// Whether I am shown the tie: a request from someone I block stays out of my sight.
    pub(crate) const fn is_shown(self) -> bool {
        match self.tie {
            Tie::None => false,
            Tie::WasAsked(_) => self.blocks.is_none(),
            Tie::Asked(_) | Tie::Friends(_) => true,
        }
    }

    /// # Errors
    /// Whoever blocks a user has to take that back before they can become friends.
    pub(crate) fn must_not_block(self) -> Result<(), Error> {
        match self.blocks {
            Some(_) => Err(Error::conflict("you block this user: unblock first")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const EARLIER: Timestamp = Timestamp(1_000);
    pub(crate) const NOW: Timestamp = Timestamp(2_000);

    pub(crate) fn pair(me: u64, other: u64) -> Pair {
        Pair::new(UserId::new(me).unwrap(), UserId::new(other).unwrap()).unwrap()
    }

    type Action = fn(Relation) -> Ruled;

    const ACTIONS: [Action; 6] = [
        |relation| relation.request(NOW),
        |relation| relation.accept(NOW),
        Relation::decline,
        |relation| Ok(relation.remove()),
        |relation| Ok(relation.block(NOW)),
        |relation| Ok(relation.unblock()),
    ];

    /// Everything that two users can become, from strangers on, by any actions of either.
    pub(crate) fn reachable() -> Vec<Relation> {
        let mut found = vec![Relation::default()];
        let mut next = 0;
        while let Some(&relation) = found.get(next) {
            let mine = ACTIONS.iter().filter_map(|action| action(relation).ok());
            let theirs =
                ACTIONS.iter().filter_map(|action| action(relation.flipped()).ok().map(Relation::flipped));
            for reached in mine.chain(theirs).collect::<Vec<_>>() {
                if !found.contains(&reached) {
                    found.push(reached);
                }
            }
            next += 1;
        }
        found
    }

    #[test]
    fn it_is_symmetric() {
        let all = reachable();
        // None, Asked and WasAsked with the blocks that go with them, and Friends.
        assert_eq!(all.len(), 4 + 2 + 2 + 1);
        for relation in &all {
            assert!(all.contains(&relation.flipped()), "{relation:?}");
            assert_eq!(relation.flipped().flipped(), *relation);
            assert_eq!(relation.flipped().are_friends(), relation.are_friends());
        }
    }

    #[test]
    fn friends_dont_block_each_other_and_nobody_asks_whom_they_block() {
        for relation in reachable() {
            match relation.tie {
                Tie::None => {}
                Tie::Asked(_) => assert_eq!(relation.blocks, None),
                Tie::WasAsked(_) => assert_eq!(relation.blocked, None),
                Tie::Friends(_) => assert_eq!((relation.blocks, relation.blocked), (None, None)),
            }
        }
    }

    #[test]
    fn repeating_what_was_done_changes_nothing() {
        for relation in reachable() {
            for (index, action) in ACTIONS.iter().enumerate() {
                if let Ok(once) = action(relation) {
                    assert_eq!(action(once), Ok(once), "action {index} on {relation:?}");
                }
            }
        }
    }

    #[test]
    fn a_block_is_not_to_be_felt_by_the_one_it_is_against() {
        for relation in reachable().into_iter().filter(|relation| relation.blocked.is_some()) {
            let unsuspecting = Relation { blocked: None, ..relation };
            for (index, action) in ACTIONS.iter().enumerate() {
                let felt = action(relation).map(|after| (after.tie, after.blocks));
                let expected = action(unsuspecting).map(|after| (after.tie, after.blocks));
                assert_eq!(felt, expected, "action {index} on {relation:?}");
            }
        }
    }

    #[test]
    fn nobody_has_a_relation_to_themselves() {
        let user = UserId::new(7).unwrap();
        assert_eq!(Pair::new(user, user).unwrap_err().code, broker_schemas::Code::Invalid);
    }
}
