//! Stores a batch of sends in one transaction, then acks and pushes each.

use std::collections::HashMap;

use broker_schemas::Timestamp;
use broker_schemas::message::{Entry, NewEvent};
use natter_host::{Bus, Result, failpoint};

use crate::plan::{Draft, Outcome, Plan};
use crate::push::{self, AsOf};
use crate::retry::{refusal, retrying};
use crate::store::{Places, Store};
use natter_host::Work;

pub(crate) struct Committer {
    store: Store,
    bus: Bus,
}

/// What a transaction did, before anyone is told.
pub(crate) struct Committed {
    pub(crate) outcomes: Vec<Outcome>,
    /// What to push, and to whom in a group.
    pub(crate) push: Vec<(Entry, AsOf)>,
}

impl Committer {
    pub(crate) const fn new(store: Store, bus: Bus) -> Self {
        Self { store, bus }
    }
}

/// What became of a draft, and the draft itself where its gate has to be learnt first, to be sent again.
pub(crate) type Done = (Outcome, Option<Draft>);

impl Work<Draft, Done> for Committer {
    async fn work(&mut self, drafts: Vec<Draft>) -> Vec<Done> {
        let outcomes = match retrying(|| commit(&self.store, &drafts)).await {
            Ok(Committed { outcomes, push }) => {
                for (entry, as_of) in push {
                    push::to_all(&self.bus, entry.conversation, as_of, &NewEvent(entry)).await;
                }
                failpoint::reach("message.send.after_push");
                outcomes
            }
            Err(failure) => {
                let error = refusal(failure);
                vec![Outcome::Failed(error); drafts.len()]
            }
        };
        let done = |(outcome, draft)| match outcome {
            Outcome::UnknownGate => (outcome, Some(draft)),
            decided => (decided, None),
        };
        outcomes.into_iter().zip(drafts).map(done).collect()
    }
}

/// Stores what is within the rules. Who may write is read under the lock of the conversation's row, which a change of a
/// group's members takes as well: a message is stored either before somebody was put out, or not at all.
pub(crate) async fn commit(store: &Store, drafts: &[Draft]) -> Result<Committed> {
    let mut transaction = store.begin().await?;
    let keys: Vec<_> = drafts.iter().map(|draft| (draft.from, draft.client_id)).collect();
    let stored = Store::find_stored(&mut transaction, &keys).await?;
    let mut plan = Plan::new(drafts, &stored);
    let mut push = Vec::new();
    let conversations = plan.conversations();
    if conversations.is_empty() {
        transaction.rollback().await?;
    } else {
        let Places { places, last_silence } = store.lock_to_write(&mut transaction, &conversations).await?;
        let senders = plan.senders();
        let members = match senders.is_empty() {
            true => [].into(),
            false => Store::members(&mut transaction, &senders).await?,
        };
        let now = Timestamp::now();
        let silences = match last_silence > now {
            true => Store::silences(&mut transaction, &plan.writers(), now).await?,
            false => HashMap::new(),
        };
        let placed = plan.place(&places, &members, &silences, now)?;
        if !placed.entries.is_empty() {
            Store::advance(&mut transaction, &placed.last, now).await?;
            Store::insert(&mut transaction, &placed.entries).await?;
            store.index(&mut transaction, &placed.entries).await?;
        }
        failpoint::commit(transaction, "message.send").await?;
        push.extend(placed.entries.into_iter().map(|entry| {
            let version = places.get(&entry.conversation).map_or(0, |place| place.version);
            (entry, AsOf::version(version))
        }));
    }
    // Afterwards: nobody who writes has to wait for it, and what is stored stays so, whatever comes of it.
    for entry in std::mem::take(&mut plan.repeated) {
        match store.as_of_now(entry.conversation, entry.seq).await {
            Ok(as_of) => push.push((entry, as_of)),
            Err(failure) => tracing::debug!(?failure, "a repeat not pushed"),
        }
    }
    Ok(Committed { outcomes: plan.outcomes(), push })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::testing::{
        alter, another_copy, draft, entries, fill, group, pair, say, send, seq, stores, until_begun, user,
    };
    use broker_schemas::group::Change;
    use broker_schemas::{Code, Conversation};

    #[tokio::test]
    async fn messages_are_stored_only_where_the_gate_is_open() {
        for (store, test) in stores().await {
            let (open, shut, unknown) = (pair(1, 2), pair(1, 3), pair(1, 4));
            store.set_gate(open, true, 1).await.unwrap();
            store.set_gate(shut, false, 1).await.unwrap();
            let drafts = [open, open, shut, unknown].map(|there| draft(there, 1, "x"));
            let Committed { outcomes, push } = commit(&store, &drafts).await.unwrap();
            let [Outcome::Sent(a), Outcome::Sent(b), Outcome::Refused(error), Outcome::UnknownGate] =
                &outcomes[..]
            else {
                panic!("{}: {outcomes:?}", test.name)
            };
            assert_eq!((a.seq, b.seq, error.code), (seq(1), seq(2), Code::Forbidden), "{}", test.name);
            let pushed: Vec<_> = push.into_iter().map(|(entry, _)| entry).collect();
            assert_eq!(pushed, entries(&store, open).await, "{}", test.name);
            assert!(entries(&store, shut).await.is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn one_client_id_is_stored_once_by_two_copies_at_once() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            store.set_gate(pair(1, 2), true, 1).await.unwrap();
            store.set_gate(pair(1, 3), true, 1).await.unwrap();
            for _ in 0..20 {
                // Each batch has the other's messages as well, in another order.
                let (a, b) = (draft(pair(1, 2), 1, "a"), draft(pair(1, 3), 1, "b"));
                let (there, back) = ([a.clone(), b.clone()], [b, a]);
                let (here, there) =
                    tokio::join!(retrying(|| commit(&store, &there)), retrying(|| commit(&other, &back)),);
                let places = |outcomes: Vec<Outcome>| -> Vec<_> {
                    let place = |outcome| match outcome {
                        Outcome::Sent(sent) => (sent.conversation, sent.seq),
                        other => panic!("{other:?}"),
                    };
                    outcomes.into_iter().map(place).collect()
                };
                let (here, mut there) = (places(here.unwrap().outcomes), places(there.unwrap().outcomes));
                there.reverse();
                assert_eq!(here, there, "{}", test.name);
            }
            let stored = entries(&store, pair(1, 2)).await;
            assert_eq!(stored.len(), 20, "{}", test.name);
        }
    }

    /// Sends as user 2 until it is refused as a stranger, and returns the last place that it was given. A send that began
    /// after the kick was done must be refused.
    async fn send_until_refused(store: &Store, there: Conversation, kicked: &AtomicBool) -> u64 {
        let mut last = 0;
        loop {
            let began_after = kicked.load(Ordering::SeqCst);
            let drafts = [draft(there, 2, "x"), draft(there, 1, "y")];
            let mut outcomes = until_begun(|| commit(store, &drafts)).await.outcomes;
            assert!(matches!(outcomes.remove(1), Outcome::Sent(_)));
            match outcomes.remove(0) {
                Outcome::Sent(sent) => {
                    assert!(!began_after, "stored {} after the kick was done", sent.seq);
                    last = sent.seq.get();
                }
                Outcome::Refused(error) if error.code == Code::NotFound => return last,
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_stored_of_somebody_after_they_were_put_out() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            let there = group(&store, 9, &[1, 2]).await;
            let mut version = 1;
            for round in 0..20_u64 {
                let kicked = AtomicBool::new(false);
                let kick = async {
                    tokio::time::sleep(std::time::Duration::from_millis(round % 7)).await;
                    version += 1;
                    let request = crate::testing::change(9, version, 1, Change::Kicked { user: user(2) });
                    let done = until_begun(|| crate::change_group::apply(&store, &request)).await;
                    kicked.store(true, Ordering::SeqCst);
                    done.unwrap().seq.get()
                };
                let (notice, a, b, c) = tokio::join!(
                    kick,
                    send_until_refused(&store, there, &kicked),
                    send_until_refused(&other, there, &kicked),
                    send_until_refused(&other, there, &kicked),
                );
                assert!(a.max(b).max(c) < notice, "{} round {round}", test.name);
                let after = entries(&store, there).await.into_iter().filter(|entry| entry.seq.get() > notice);
                assert!(after.into_iter().all(|entry| entry.from != user(2)), "{}", test.name);
                version += 1;
                alter(&store, 9, version, 1, Change::Joined { user: user(2) }).await;
            }
            // Every place was used once, whoever took it.
            let places: Vec<_> = entries(&store, there).await.iter().map(|entry| entry.seq.get()).collect();
            assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_repeat_is_pushed_to_those_only_who_may_read_it() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            let message = draft(there, 1, "x");
            send(&store, &message).await;
            let as_of = async || {
                let mut committed = commit(&store, std::slice::from_ref(&message)).await.unwrap();
                committed.push.pop().unwrap().1
            };
            assert_eq!(as_of().await, AsOf::version(1), "{}", test.name);
            alter(&store, 9, 2, 1, Change::Kicked { user: user(2) }).await;
            assert_eq!(as_of().await, AsOf::version(2), "{}", test.name);
            // Who joined by version 3 doesn't see the message, so those are told who joined before.
            alter(&store, 9, 3, 1, Change::Joined { user: user(3) }).await;
            alter(&store, 9, 4, 1, Change::Renamed { name: broker_schemas::Text::new("n").unwrap() }).await;
            assert_eq!(as_of().await, AsOf { version: 4, joined_by: 2 }, "{}", test.name);
            alter(&store, 9, 5, 1, Change::Left { user: user(3) }).await;
            assert_eq!(as_of().await, AsOf::version(5), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_message_to_a_large_group_is_one_row_and_one_push() {
        for (store, test) in stores().await {
            let all: Vec<_> = (1..=1_001).collect();
            let there = group(&store, 9, &all).await;
            fill(&store, pair(1, 2), 1).await;
            let Committed { push, .. } = commit(&store, &[draft(there, 7, "x")]).await.unwrap();
            assert_eq!(push.len(), 1, "{}", test.name);
            assert_eq!(push[0].1, AsOf::version(1), "{}", test.name);
            assert_eq!(entries(&store, there).await.len(), 2, "{}", test.name);
            assert_eq!(say(&store, there, 1_001, "y").await, seq(3), "{}", test.name);
        }
    }
}
