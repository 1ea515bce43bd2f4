//! `friend.decline`: declines what a user asked, or takes back what one asked oneself.

use broker_schemas::friend::Decline;
use broker_schemas::{Done, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation, Ruled, Tie};

impl Handle<Decline> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Decline) -> Result<Done> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        self.check_rate(pair.me)?;
        let change = self.store.change(pair, &self.limits, Relation::decline).await?;
        self.push_removed(pair, &change).await;
        Ok(Done {})
    }
}

impl Relation {
    pub(crate) fn decline(self) -> Ruled {
        match self.tie {
            // Whoever takes a request back should learn that it was accepted meanwhile.
            Tie::Friends(_) => Err(Error::conflict("you are friends already: friend.remove ends that")),
            Tie::Asked(_) | Tie::WasAsked(_) if self.is_shown() => Ok(Self { tie: Tie::None, ..self }),
            Tie::None | Tie::Asked(_) | Tie::WasAsked(_) => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::relation::tests::reachable;

    #[test]
    fn a_request_that_is_shown_ends_in_either_direction() {
        for relation in reachable() {
            let declined = relation.decline();
            if relation.are_friends() {
                assert_eq!(declined.unwrap_err().code, Code::Conflict);
            } else if relation.is_shown() {
                assert_eq!(declined, Ok(Relation { tie: Tie::None, ..relation }));
            } else {
                assert_eq!(declined, Ok(relation));
            }
        }
    }
}
