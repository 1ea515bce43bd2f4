//! `friend.accept`: accepts what a user asked.

use broker_schemas::friend::Accept;
use broker_schemas::{Done, Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation, Ruled, Tie};

impl Handle<Accept> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Accept) -> Result<Done> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        self.check_rate(pair.me)?;
        let now = Timestamp::now();
        let change = self.store.change(pair, &self.limits, |relation| relation.accept(now)).await?;
        if change.befriends() {
            let people = self.people_if_possible(&call.scope, pair).await;
            self.announce_friendship(&call.scope, pair, &people).await;
        }
        Ok(Done {})
    }
}

impl Relation {
    pub(crate) fn accept(self, now: Timestamp) -> Ruled {
        self.must_not_block()?;
        match self.tie {
            Tie::WasAsked(_) => Ok(Self { tie: Tie::Friends(now), ..self }),
            Tie::Friends(_) => Ok(self),
            Tie::None | Tie::Asked(_) => Err(Error::not_found("there is no request from this user")),
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::relation::tests::{NOW, reachable};

    #[test]
    fn only_what_was_asked_can_be_accepted() {
        for relation in reachable() {
            let accepted = relation.accept(NOW);
            match relation {
                Relation { blocks: Some(_), .. } => assert_eq!(accepted.unwrap_err().code, Code::Conflict),
                Relation { tie: Tie::WasAsked(_), .. } => {
                    assert_eq!(accepted, Ok(Relation { tie: Tie::Friends(NOW), ..relation }));
                }
                Relation { tie: Tie::Friends(_), .. } => assert_eq!(accepted, Ok(relation)),
                _ => assert_eq!(accepted.unwrap_err().code, Code::NotFound),
            }
        }
    }
}
