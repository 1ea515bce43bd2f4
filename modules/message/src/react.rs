//! `message.react`: adds a reaction to a message, or takes one's own away.

use broker_schemas::message::{Changed, REACTION_BYTES, REACTIONS_MAX, React, ReactedEvent};
use broker_schemas::visible::{is_deceptive, is_visible};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::silence::check_not_silenced;
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::change::Applied;
use crate::retry::retrying;
use crate::store::Store;

/// How many reactions to one message a user may have.
const OWN_MAX: usize = 8;

impl Handle<React> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: React) -> Result<Changed> {
        check_reaction(&request.reaction)?;
        let user = call.caller.user();
        self.limits.check_change(user)?;
        let applied = retrying(|| apply(&self.store, user, &request, Timestamp::now())).await?;
        Ok(self.finish(request.conversation, applied).await)
    }
}

fn check_reaction(reaction: &str) -> std::result::Result<(), Error> {
    if !is_visible(reaction) || reaction.contains(|c: char| c.is_whitespace() || is_deceptive(c)) {
        return Err(Error::invalid(format!(
            "reaction: expected 1 to {REACTION_BYTES} bytes without white space, such as an emoji"
        )));
    }
    Ok(())
}

pub(crate) async fn apply(
    store: &Store,
    user: UserId,
    request: &React,
    now: Timestamp,
) -> Result<Applied<ReactedEvent>> {
    let React { conversation, seq, ref reaction, remove } = *request;
    let removed = remove.unwrap_or(false);
    let mut transaction = store.begin().await?;
    let target = store.target(&mut transaction, user, conversation, seq).await?;
    target.seat.check_may_write(now)?;
    check_not_silenced(&mut *transaction, user, now).await?;
    if target.entry.recalled_by.is_some() && !removed {
        return Err(Error::conflict("seq: the message was recalled").into());
    }
    let there = Store::reactions(&mut transaction, conversation, seq, user).await?;
    let has = there.iter().any(|(other, mine)| *mine && **other == **reaction);
    if has != removed {
        return Ok(Applied::Already(target.entry.revision));
    }
    if removed {
        Store::remove_reaction(&mut transaction, conversation, seq, user, reaction).await?;
    } else {
        check_room(&there, reaction)?;
        let revision = target.next_revision();
        Store::add_reaction(&mut transaction, conversation, seq, user, reaction, revision).await?;
    }
    Store::revise(&mut transaction, &target.entry, target.next_revision()).await?;
    let as_of = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = ReactedEvent { conversation, seq, revision, user, reaction: reaction.to_string(), removed };
    Ok(Applied::Now { revision, as_of, event })
}

/// Whether one more reaction fits beside those that are `there`, each with whether it is one's own too.
fn check_room(there: &[(String, bool)], reaction: &str) -> std::result::Result<(), Error> {
    if there.iter().filter(|(_, mine)| *mine).count() >= OWN_MAX {
        return Err(Error::conflict(format!(
            "reaction: you have {OWN_MAX} to this message, which is the most"
        )));
    }
    let is_new = !there.iter().any(|(other, _)| other == reaction);
    if is_new && there.len() >= REACTIONS_MAX {
        return Err(Error::conflict(format!(
            "reaction: the message has {REACTIONS_MAX} different ones, which is the most"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;
    use crate::testing::{alter, code, fill, group, pair, say, seq, stores, user};
    use broker_schemas::group::Change;
    use broker_schemas::message::History;
    use broker_schemas::{Code, Conversation, Text};

    async fn react(
        store: &Store,
        there: Conversation,
        by: u64,
        reaction: &str,
        removed: bool,
    ) -> Result<Applied<ReactedEvent>> {
        let reaction = Text::new(reaction).unwrap();
        let request = React { conversation: there, seq: seq(1), reaction, remove: removed.then_some(true) };
        apply(store, user(by), &request, Timestamp::now()).await
    }

    /// The reactions to the first message as a user sees them, and its revision.
    async fn seen(store: &Store, there: Conversation, by: u64) -> (Vec<(String, u32, bool)>, u64) {
        let request = History { conversation: there, before: None, after: None, limit: None };
        let entry = history::page(store, user(by), &request).await.unwrap().messages.remove(0);
        let reactions = entry.reactions.into_iter().map(|one| (one.reaction, one.count, one.mine));
        (reactions.collect(), entry.revision)
    }

    #[test]
    fn a_reaction_is_one_short_word_or_sign() {
        for good in ["👍", "👨‍👩‍👧‍👦", "+1", ":ok:", "ok"] {
            check_reaction(good).unwrap();
        }
        for bad in ["", " ", "a b", "a\n", "\0", "\u{a0}", "\u{200b}", "\u{200d}", "\u{feff}", "a\u{202e}b"] {
            assert_eq!(check_reaction(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn reactions_are_counted_and_each_user_has_each_once() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 2).await;
            let steps = [(1, "👍", false), (2, "❤", false), (2, "👍", false), (1, "❤", true)];
            let mut revisions = Vec::new();
            for (by, reaction, removed) in steps {
                revisions.push(match react(&store, there, by, reaction, removed).await.unwrap() {
                    Applied::Now { revision, .. } => revision,
                    Applied::Already(revision) => 100 + revision,
                });
            }
            // The last one wasn't there.
            assert_eq!(revisions, [1, 2, 3, 103], "{}", test.name);
            let (of_1, revision) = seen(&store, there, 1).await;
            let expected = [("👍".to_owned(), 2, true), ("❤".to_owned(), 1, false)];
            assert_eq!((&of_1[..], revision), (&expected[..], 3), "{}", test.name);
            let again = react(&store, there, 1, "👍", false).await.unwrap();
            assert!(matches!(again, Applied::Already(3)), "{}", test.name);
            let back = react(&store, there, 2, "👍", true).await.unwrap();
            assert!(matches!(back, Applied::Now { revision: 4, .. }), "{}", test.name);
            let (of_2, _) = seen(&store, there, 2).await;
            let expected = [("👍".to_owned(), 1, false), ("❤".to_owned(), 1, true)];
            assert_eq!(of_2, expected, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_message_has_so_many_reactions_and_no_more() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2, 3, 4, 5]).await;
            for by in 1..=4 {
                for n in 0..OWN_MAX {
                    react(&store, there, by, &format!("{by}.{n}"), false).await.unwrap();
                }
                let one_more = react(&store, there, by, "1.0", false).await;
                if by > 1 {
                    assert_eq!(code(one_more), Code::Conflict, "{}", test.name);
                }
            }
            assert_eq!(code(react(&store, there, 5, "new", false).await), Code::Conflict, "{}", test.name);
            react(&store, there, 5, "1.0", false).await.unwrap();
            let (seen, _) = seen(&store, there, 5).await;
            assert_eq!(seen.len(), REACTIONS_MAX, "{}", test.name);
            assert_eq!(seen[0], ("1.0".to_owned(), 2, true), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn only_who_may_write_reacts() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            assert_eq!(code(react(&store, there, 3, "x", false).await), Code::NotFound, "{}", test.name);
            let until = Some(Timestamp(i64::MAX));
            alter(&store, 9, 2, 1, Change::Muted { user: Some(user(2)), until }).await;
            assert_eq!(code(react(&store, there, 2, "x", false).await), Code::Forbidden, "{}", test.name);
            react(&store, there, 1, "x", false).await.unwrap();
            say(&store, there, 1, "x").await;
            let direct = pair(1, 2);
            fill(&store, direct, 1).await;
            store.set_gate(direct, false, 2).await.unwrap();
            assert_eq!(code(react(&store, direct, 2, "x", false).await), Code::Forbidden, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn reactions_at_once_each_get_a_revision_of_their_own() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &(1..=20).collect::<Vec<_>>()).await;
            let other = crate::testing::another_copy(&test).await;
            let all = (1..=20_u64).map(|by| {
                let store = if by % 2 == 0 { &store } else { &other };
                retrying(move || react(store, there, by, "x", false))
            });
            let mut revisions: Vec<_> = futures_util::future::join_all(all)
                .await
                .into_iter()
                .map(|applied| match applied.unwrap() {
                    Applied::Now { revision, .. } => revision,
                    Applied::Already(_) => panic!("{}", test.name),
                })
                .collect();
            revisions.sort_unstable();
            assert_eq!(revisions, (1..=20).collect::<Vec<_>>(), "{}", test.name);
            assert_eq!(seen(&store, there, 1).await, (vec![("x".to_owned(), 20, true)], 20), "{}", test.name);
        }
    }
}
