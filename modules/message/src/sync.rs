//! `message.sync`: what a client doesn't have yet, of all its user's conversations.

use std::collections::HashMap;

use broker_schemas::message::{Missed, PAGE_MAX, Standing, Sync};
use broker_schemas::{SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::page::Page;
use crate::store::{Changes, Range, Store};
use crate::unread::CONVERSATIONS_MAX;

/// In how many conversations one query looks for changes.
const AT_ONCE: usize = 128;

impl Handle<Sync> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Sync) -> Result<Missed> {
        missed(&self.store, call.caller.user(), &request).await
    }
}

async fn missed(store: &Store, user: UserId, request: &Sync) -> Result<Missed> {
    // All as of one moment: a client takes what it is told of changes as all that changed until then.
    let mut snapshot = store.snapshot().await?;
    let standings = Store::standings_in(&mut *snapshot, user, CONVERSATIONS_MAX).await?;
    let held: HashMap<_, _> =
        standings.iter().map(|standing| (standing.conversation, held(request, standing))).collect();
    let missing: Vec<_> = standings
        .iter()
        .map(|standing| Range {
            conversation: standing.conversation,
            after: held[&standing.conversation],
            to: standing.last_seq,
        })
        .filter(|range| range.after < range.to)
        .collect();
    let stale: Vec<_> = standings
        .iter()
        .filter_map(|standing| {
            let known = *request.revisions.as_ref()?.get(&standing.conversation)?;
            let to = held[&standing.conversation].min(standing.last_seq);
            let changes = Changes {
                conversation: standing.conversation,
                after_revision: known,
                first: standing.first_seq,
                to,
            };
            (known < standing.revision && standing.first_seq <= to).then_some(changes)
        })
        .collect();

    // What is new comes first: a client that has it can show where everything stands.
    let mut page = Page::new(PAGE_MAX as usize);
    let ranges = first_of(&missing, page.room());
    Store::ranges(&mut snapshot, &mut page, &ranges).await?;
    let messages = page.entries.len();
    let mut all_changes = true;
    for changes in stale.chunks(AT_ONCE) {
        if page.more || page.is_full() {
            all_changes = false;
            break;
        }
        Store::changed(&mut snapshot, &mut page, changes).await?;
    }
    Store::add_reactions(&mut snapshot, &mut page, user).await?;
    snapshot.commit().await?;

    let changed = page.entries.split_off(messages.min(page.entries.len()));
    let mut reached = held;
    for message in &page.entries {
        reached.insert(message.conversation, message.seq.get());
    }
    let all_messages = missing.iter().all(|range| reached[&range.conversation] >= range.to);
    Ok(Missed { messages: page.entries, changed, more: page.more || !all_messages || !all_changes })
}

/// Up to where the client has everything that its user may read in a conversation.
fn held(request: &Sync, standing: &Standing) -> u64 {
    let have = request.have.get(&standing.conversation).copied().unwrap_or(standing.read_seq);
    have.max(standing.first_seq.saturating_sub(1))
}

/// The first `room` messages of these ranges. Places have no gaps, so the number of messages is known beforehand, and
/// nothing is read for nothing.
fn first_of(ranges: &[Range], mut room: usize) -> Vec<Range> {
    let mut first = Vec::new();
    for range in ranges {
        if room == 0 {
            break;
        }
        let most = range.after.saturating_add(room as u64);
        let range = Range { to: range.to.min(most), ..*range };
        room -= usize::try_from(range.to - range.after).unwrap_or(room);
        first.push(range);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::testing::{alter, draft, fill, group, pair, say, send, seq, stores, user};
    use crate::{edit, react, recall};
    use broker_schemas::group::Change;
    use broker_schemas::message::{Edit, Entry, PAGE_BYTES, React, Recall, TEXT_BYTES};
    use broker_schemas::{Conversation, Map, Text, Timestamp};
    use std::time::Duration;

    /// What a client has of each conversation: the last place, the revision, and the messages.
    #[derive(Default)]
    struct Client {
        have: BTreeMap<Conversation, u64>,
        revisions: Option<BTreeMap<Conversation, u64>>,
        messages: BTreeMap<(Conversation, u64), Entry>,
        rounds: usize,
    }

    impl Client {
        /// Asks until there is no more, and applies what it is told as the contract says.
        async fn catch_up(&mut self, store: &Store, by: u64) {
            loop {
                let request = Sync {
                    have: Map::new(self.have.clone()).unwrap(),
                    revisions: self.revisions.clone().map(|known| Map::new(known).unwrap()),
                };
                let Missed { messages, changed, more } = missed(store, user(by), &request).await.unwrap();
                assert!(messages.len() + changed.len() <= PAGE_MAX as usize);
                let texts: usize = messages.iter().chain(&changed).map(|entry| entry.text.len()).sum();
                assert!(texts <= PAGE_BYTES.max(TEXT_BYTES));
                assert!(!more || !messages.is_empty() || !changed.is_empty(), "no way on");
                for entry in messages {
                    let have = self.have.entry(entry.conversation).or_insert(entry.seq.get() - 1);
                    assert_eq!(entry.seq.get(), *have + 1, "a gap");
                    *have += 1;
                    self.messages.insert((entry.conversation, entry.seq.get()), entry);
                }
                for entry in changed {
                    let known = self.revisions.as_mut().unwrap().get_mut(&entry.conversation).unwrap();
                    assert!(entry.revision > *known, "in the order of revisions");
                    *known = entry.revision;
                    self.messages.insert((entry.conversation, entry.seq.get()), entry);
                }
                self.rounds += 1;
                if !more {
                    return;
                }
            }
        }

        fn texts(&self, there: Conversation) -> Vec<&str> {
            let of_it = self.messages.iter().filter(|((conversation, _), _)| *conversation == there);
            of_it.map(|(_, entry)| &*entry.text).collect()
        }
    }

    async fn reword(store: &Store, there: Conversation, at: u64, by: u64, text: &str) {
        let request = Edit { conversation: there, seq: seq(at), text: Text::new(text).unwrap() };
        let within = Duration::from_secs(1_000_000_000_000);
        edit::apply(store, user(by), &request, within, Timestamp::now()).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_goes_on_asking_gets_everything_once_in_order() {
        for (store, test) in stores().await {
            for peer in 2..=150 {
                fill(&store, pair(1, peer), peer % 7).await;
            }
            fill(&store, pair(1, 200), 450).await;
            let mut client = Client::default();
            client.catch_up(&store, 1).await;
            let expected: u64 = (2..=150).map(|peer| peer % 7).sum::<u64>() + 450;
            assert_eq!(client.messages.len() as u64, expected, "{}", test.name);
            assert_eq!(client.rounds, usize::try_from(expected.div_ceil(200)).unwrap(), "{}", test.name);
            client.messages.clear();
            fill(&store, pair(1, 3), 1).await;
            client.catch_up(&store, 1).await;
            assert_eq!(client.texts(pair(1, 3)), ["text 0"], "{}", test.name);
            assert_eq!(client.messages.len(), 1, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn long_messages_and_long_changes_come_in_several_answers() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            let long = "x".repeat(TEXT_BYTES);
            for _ in 0..10 {
                send(&store, &draft(there, 1, &long)).await;
            }
            let mut client = Client { revisions: Some([(there, 0)].into()), ..Client::default() };
            client.catch_up(&store, 2).await;
            assert_eq!((client.messages.len(), client.rounds), (10, 3), "{}", test.name);
            let other = "y".repeat(TEXT_BYTES);
            for at in [7, 3, 5, 1, 9, 7] {
                reword(&store, there, at, 1, &format!("{}{}", &other[1..], at % 2)).await;
            }
            send(&store, &draft(there, 1, &long)).await;
            client.rounds = 0;
            client.catch_up(&store, 2).await;
            let changed = client.texts(there).iter().filter(|text| text.starts_with('y')).count();
            assert_eq!((client.messages.len(), changed), (11, 5), "{}", test.name);
            assert!(client.rounds >= 2, "{}: {}", test.name, client.rounds);
        }
    }

    #[tokio::test]
    async fn who_was_away_learns_of_every_kind_of_change_once() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 5).await;
            let mut client = Client { revisions: Some([(there, 0)].into()), ..Client::default() };
            client.catch_up(&store, 2).await;
            client.messages.clear();
            reword(&store, there, 1, 1, "edited").await;
            reword(&store, there, 1, 1, "edited again").await;
            let recalled = Recall { conversation: there, seq: seq(2) };
            recall::apply(&store, user(1), &recalled, Duration::from_secs(1 << 40), Timestamp::now())
                .await
                .unwrap();
            let reaction = Text::new("👍").unwrap();
            let reacted = React { conversation: there, seq: seq(3), reaction, remove: None };
            react::apply(&store, user(2), &reacted, Timestamp::now()).await.unwrap();
            // Of what it doesn't have yet, it gets what it says now.
            say(&store, there, 1, "new").await;
            reword(&store, there, 6, 1, "newer").await;
            client.catch_up(&store, 2).await;
            assert_eq!(client.texts(there), ["edited again", "", "text 2", "newer"], "{}", test.name);
            let entry = |at| &client.messages[&(there, at)];
            assert_eq!(entry(2).recalled_by, Some(user(1)), "{}", test.name);
            assert_eq!(entry(3).reactions.len(), 1, "{}", test.name);
            assert!(entry(3).reactions[0].mine, "{}", test.name);
            assert_eq!(client.revisions, Some([(there, 4)].into()), "{}", test.name);
            // Without a revision, none is told.
            let request = Sync { have: Map::new([(there, 6)].into()).unwrap(), revisions: None };
            let answer = missed(&store, user(2), &request).await.unwrap();
            assert!(answer.changed.is_empty() && !answer.more, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn what_is_not_named_counts_from_where_its_user_has_read() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 5).await;
            store.move_cursors(&[((user(1), pair(1, 2)), seq(3))].into()).await.unwrap();
            let mut client = Client::default();
            client.catch_up(&store, 1).await;
            assert_eq!(client.texts(pair(1, 2)), ["text 3", "text 4"], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_group_is_told_from_ones_joining_on_and_no_more_once_one_is_out() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1]).await;
            say(&store, there, 1, "before").await;
            alter(&store, 9, 2, 2, Change::Joined { user: user(2) }).await;
            say(&store, there, 1, "after").await;
            reword(&store, there, 2, 1, "reworded").await;
            // A client may say that it has nothing.
            let asked = Sync {
                have: Map::new([(there, 0)].into()).unwrap(),
                revisions: Some(Map::new([(there, 0)].into()).unwrap()),
            };
            let answer = missed(&store, user(2), &asked).await.unwrap();
            let places: Vec<_> = answer.messages.iter().map(|entry| entry.seq.get()).collect();
            assert_eq!(places, [3, 4], "{}", test.name);
            assert!(answer.changed.is_empty() && !answer.more, "{}", test.name);
            let has_all = Sync { have: Map::new([(there, 4)].into()).unwrap(), ..asked.clone() };
            let answer = missed(&store, user(2), &has_all).await.unwrap();
            assert!(answer.changed.is_empty(), "{}: a change of what is not for them", test.name);
            assert_eq!(missed(&store, user(1), &has_all).await.unwrap().changed.len(), 1, "{}", test.name);
            alter(&store, 9, 3, 1, Change::Kicked { user: user(2) }).await;
            let answer = missed(&store, user(2), &asked).await.unwrap();
            assert!(answer.messages.is_empty() && !answer.more, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_client_that_asks_while_messages_change_ends_up_with_what_they_say() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            let change = async |at, text: String| {
                let request = Edit { conversation: there, seq: seq(at), text: Text::new(text).unwrap() };
                let from = if at == 1 { user(1) } else { user(2) };
                let within = Duration::from_secs(1_000_000_000_000);
                edit::apply(&store, from, &request, within, Timestamp::now()).await.unwrap();
            };
            let writes = async {
                for at in 2..60 {
                    assert_eq!(say(&store, there, 2, "as it was").await.get(), at);
                    change(at, "reworded".to_owned()).await;
                    change(1, format!("also {at}")).await;
                }
            };
            let mut client = Client { revisions: Some([(there, 0)].into()), ..Client::default() };
            let mut writes = std::pin::pin!(writes);
            let mut going_on = true;
            while going_on {
                // The two run at the same time, each a step whenever the other one waits.
                let (step, ()) = tokio::join!(
                    async {
                        tokio::select! {
                            () = &mut writes => false,
                            () = tokio::time::sleep(Duration::from_millis(3)) => true,
                        }
                    },
                    client.catch_up(&store, 2)
                );
                going_on = step;
            }
            client.catch_up(&store, 2).await;
            let expected = crate::testing::entries(&store, there).await;
            let expected: Vec<_> = expected.iter().map(|entry| &*entry.text).collect();
            assert_eq!(client.texts(there), expected, "{}", test.name);
        }
    }

    #[test]
    fn no_more_is_asked_of_the_database_than_fits() {
        let range = |peer, after, to| Range { conversation: pair(1, peer), after, to };
        let ranges = [range(2, 0, 150), range(3, 10, 100), range(4, 0, 1)];
        assert_eq!(first_of(&ranges, 200), [range(2, 0, 150), range(3, 10, 60)]);
        assert_eq!(first_of(&ranges, 500), ranges);
        assert!(first_of(&ranges, 0).is_empty());
    }
}
