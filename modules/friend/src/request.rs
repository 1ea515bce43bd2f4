//! `friend.request`: asks a user to become friends.

use broker_schemas::friend::{Request, Requested, RequestedEvent};
use broker_schemas::{Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::{Pair, Relation, Ruled, Tie};

impl Handle<Request> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Request) -> Result<Requested> {
        let pair = Pair::new(call.caller.user(), request.user)?;
        self.check_rate(pair.me)?;
        self.silences.check(pair.me).await?;
        let people = self.people(&call.scope, &[pair.me, pair.other]).await?;
        if people.get(pair.other).is_none() {
            return Err(Error::not_found("there is no such user").into());
        }
        let now = Timestamp::now();
        let change = self.store.change(pair, &self.limits, |relation| relation.request(now)).await?;
        if change.befriends() {
            self.announce_friendship(&call.scope, pair, &people).await;
        } else if change.asks() && change.after.flipped().is_shown() {
            let me = people.get_or_nameless(pair.me);
            let event = RequestedEvent { user: pair.me, name: me.name, display_name: me.display_name };
            self.push([pair.other], &event).await;
        }
        Ok(Requested { friends: change.after.are_friends() })
    }
}

impl Relation {
    /// A request to someone who blocks me is stored like any other and answered like any other, so that I can't tell;
    /// the other one isn't shown it while the block holds.
    pub(crate) fn request(self, now: Timestamp) -> Ruled {
        self.must_not_block()?;
        let tie = match self.tie {
            Tie::None => Tie::Asked(now),
            Tie::WasAsked(_) => Tie::Friends(now),
            tie @ (Tie::Asked(_) | Tie::Friends(_)) => tie,
        };
        Ok(Self { tie, ..self })
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::relation::tests::{EARLIER, NOW, reachable};

    #[test]
    fn a_request_asks_or_answers_the_others_request() {
        for relation in reachable().into_iter().filter(|relation| relation.blocks.is_none()) {
            let expected = match relation.tie {
                Tie::None => Tie::Asked(EARLIER),
                Tie::WasAsked(_) => Tie::Friends(EARLIER),
                tie => tie,
            };
            assert_eq!(relation.request(EARLIER), Ok(Relation { tie: expected, ..relation }));
        }
    }

    #[test]
    fn whoever_blocks_has_to_unblock_first() {
        for relation in reachable().into_iter().filter(|relation| relation.blocks.is_some()) {
            assert_eq!(relation.request(NOW).unwrap_err().code, Code::Conflict);
        }
    }

    #[test]
    fn a_blocked_request_shows_to_the_one_who_asks_only() {
        let blocked = Relation { blocked: Some(EARLIER), ..Relation::default() };
        let asked = blocked.request(NOW).unwrap();
        assert!(asked.is_shown());
        assert!(!asked.flipped().is_shown());
    }
}
