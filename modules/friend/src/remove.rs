//! `friend.remove`: ends a friendship.

use broker_schemas::friend::Remove;
use broker_schemas::{Done, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation, Tie};

impl Handle<Remove> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Remove) -> Result<Done> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        self.check_rate(pair.me)?;
        let change = self.store.change(pair, &self.limits, |relation| Ok(relation.remove())).await?;
        self.finish_closing(&call.scope, pair, &change).await
    }
}

impl Relation {
    pub(crate) const fn remove(self) -> Self {
        match self.tie {
            Tie::Friends(_) => Self { tie: Tie::None, ..self },
            Tie::None | Tie::Asked(_) | Tie::WasAsked(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::tests::reachable;

    #[test]
    fn only_a_friendship_ends() {
        for relation in reachable() {
            let tie = if relation.are_friends() { Tie::None } else { relation.tie };
            assert_eq!(relation.remove(), Relation { tie, ..relation });
        }
    }
}
