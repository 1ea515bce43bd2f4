//! `friend.block`: ends a friendship or request, and refuses every further one from that user.

use broker_schemas::friend::Block;
use broker_schemas::{Done, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation, Tie};

impl Handle<Block> for Module {
    /// Asks nobody whether the user exists: a block must be possible whatever is down.
    async fn handle(&self, call: &Call<SignedIn>, request: Block) -> Result<Done> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        let now = Timestamp::now();
        let change = self.store.change(pair, &self.limits, |relation| Ok(relation.block(now))).await?;
        self.finish_closing(&call.scope, pair, &change).await
    }
}

impl Relation {
    pub(crate) const fn block(self, now: Timestamp) -> Self {
        match self.blocks {
            // What was asked since is out of sight already.
            Some(_) => self,
            None => Self { tie: Tie::None, blocks: Some(now), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::relation::tests::{NOW, reachable};

    #[test]
    fn a_block_ends_what_there_was_and_shows_nothing() {
        for relation in reachable() {
            let blocked = relation.block(NOW);
            assert_eq!(blocked.blocks, relation.blocks.or(Some(NOW)));
            assert_eq!(blocked.blocked, relation.blocked);
            assert!(!blocked.is_shown());
            assert!(!blocked.are_friends());
        }
    }
}
