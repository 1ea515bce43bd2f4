//! `friend.unblock`: takes a block back.

use broker_schemas::friend::Unblock;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation};

impl Handle<Unblock> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Unblock) -> Result<Done> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        self.check_rate(pair.me)?;
        self.store.change(pair, &self.limits, |relation| Ok(relation.unblock())).await?;
        Ok(Done {})
    }
}

impl Relation {
    /// What the other one asked during the block waits for an answer from now on.
    pub(crate) const fn unblock(self) -> Self {
        Self { blocks: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::tests::{NOW, reachable};

    #[test]
    fn it_makes_nobody_a_friend_again() {
        for relation in reachable() {
            let unblocked = relation.unblock();
            assert_eq!(unblocked, Relation { blocks: None, ..relation });
            assert!(!relation.block(NOW).unblock().are_friends());
        }
    }

    #[test]
    fn a_request_made_during_the_block_shows_once_it_is_taken_back() {
        let asked = Relation::default().block(NOW).flipped().request(NOW).unwrap().flipped();
        assert!(!asked.is_shown());
        assert!(asked.unblock().is_shown());
    }
}
