//! `message.history`: a page of a conversation.

use broker_schemas::message::{History, Messages};
use broker_schemas::{Error, SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::page::{Page, limit};
use crate::store::{Range, Store};

impl Handle<History> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: History) -> Result<Messages> {
        page(&self.store, call.caller.user(), &request).await
    }
}

pub(crate) async fn page(store: &Store, user: UserId, request: &History) -> Result<Messages> {
    let &History { conversation, before, after, limit: asked } = request;
    let mut page = Page::new(limit(asked)?);
    if before.is_some() && after.is_some() {
        return Err(Error::invalid("after: expected only one of before and after").into());
    }
    // All as of one moment: who was put out sees nothing of what became of the messages afterwards.
    let mut snapshot = store.snapshot().await?;
    let seat = Store::seat_in(&mut *snapshot, user, conversation).await?.ok_or_else(no_such_conversation)?;
    let (first, last) = (seat.member.first_seq, seat.place.last_seq);
    match after {
        Some(after) => {
            let range = Range { conversation, after: after.get().max(first - 1), to: last };
            Store::ranges(&mut snapshot, &mut page, &[range]).await?;
        }
        None => {
            let before = before.map_or(last + 1, |before| before.get().min(last + 1));
            Store::page_before(&mut snapshot, &mut page, conversation, first, before).await?;
        }
    }
    Store::add_reactions(&mut snapshot, &mut page, user).await?;
    snapshot.commit().await?;
    if after.is_none() {
        page.entries.reverse();
    }
    Ok(Messages { messages: page.entries, more: page.more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alter, change, code, draft, fill, group, pair, say, send, seq, stores, user};
    use crate::{change_group, edit, react};
    use broker_schemas::group::Change;
    use broker_schemas::group::Visible;
    use broker_schemas::message::{ChangeGroup, Edit, PAGE_BYTES, PAYLOAD_BYTES, Payload, React, TEXT_BYTES};
    use broker_schemas::{Code, Conversation, Text, Timestamp};

    /// The places on the page that user `by` gets, and whether there are more.
    async fn get(
        store: &Store,
        by: u64,
        there: Conversation,
        before: Option<u64>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<(Vec<u64>, bool)> {
        let (before, after) = (before.map(seq), after.map(seq));
        let request = History { conversation: there, before, after, limit: Some(limit) };
        let Messages { messages, more } = page(store, user(by), &request).await?;
        Ok((messages.iter().map(|entry| entry.seq.get()).collect(), more))
    }

    #[tokio::test]
    async fn pages_go_both_ways_and_say_whether_there_is_more() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, pair(1, 3), 3).await;
            fill(&store, there, 10).await;
            let get = async |before, after, limit| get(&store, 2, there, before, after, limit).await.unwrap();
            assert_eq!(get(None, None, 3).await, (vec![8, 9, 10], true), "{}", test.name);
            assert_eq!(get(Some(8), None, 7).await, (vec![1, 2, 3, 4, 5, 6, 7], false), "{}", test.name);
            assert_eq!(get(Some(8), None, 6).await, (vec![2, 3, 4, 5, 6, 7], true), "{}", test.name);
            assert_eq!(get(Some(1), None, 6).await, (vec![], false), "{}", test.name);
            assert_eq!(get(Some(99), None, 2).await, (vec![9, 10], true), "{}", test.name);
            assert_eq!(get(None, Some(3), 3).await, (vec![4, 5, 6], true), "{}", test.name);
            assert_eq!(get(None, Some(7), 3).await, (vec![8, 9, 10], false), "{}", test.name);
            assert_eq!(get(None, Some(10), 3).await, (vec![], false), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_page_of_long_messages_ends_early_and_loses_none() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            let long = "x".repeat(TEXT_BYTES);
            for n in 0..9 {
                let mut draft = draft(there, 1, &long);
                let kind = Text::new("app/x").unwrap();
                let data = Text::new("y".repeat(PAYLOAD_BYTES)).unwrap();
                draft.content.payload = (n % 3 == 0).then_some(Payload { kind, data });
                send(&store, &draft).await;
            }
            let (mut back, mut before, mut more) = (Vec::new(), None, true);
            while more {
                let page;
                (page, more) = get(&store, 1, there, before, None, 200).await.unwrap();
                assert!(page.len() <= PAGE_BYTES / TEXT_BYTES);
                before = page.first().copied();
                back.splice(0..0, page);
            }
            let (mut forward, mut more) = (vec![1], true);
            while more {
                let page;
                (page, more) = get(&store, 1, there, None, forward.last().copied(), 200).await.unwrap();
                forward.extend(page);
            }
            assert_eq!(back, (1..=9).collect::<Vec<_>>(), "{}", test.name);
            assert_eq!(forward, back, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn only_members_read_and_only_from_their_joining_on() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 1, "before").await;
            alter(&store, 9, 2, 3, Change::Joined { user: user(3) }).await;
            say(&store, there, 1, "after").await;
            let all = async |by| get(&store, by, there, None, None, 9).await;
            assert_eq!(all(2).await.unwrap(), (vec![1, 2, 3, 4], false), "{}", test.name);
            assert_eq!(all(3).await.unwrap(), (vec![3, 4], false), "{}", test.name);
            let from_start = get(&store, 3, there, None, Some(1), 9).await.unwrap();
            assert_eq!(from_start, (vec![3, 4], false), "{}", test.name);
            let earlier = get(&store, 3, there, Some(3), None, 9).await.unwrap();
            assert_eq!(earlier, (vec![], false), "{}", test.name);
            assert_eq!(code(all(4).await), Code::NotFound, "{}", test.name);
            alter(&store, 9, 3, 1, Change::Kicked { user: user(2) }).await;
            assert_eq!(code(all(2).await), Code::NotFound, "{}", test.name);
            alter(&store, 9, 4, 1, Change::Dissolved {}).await;
            assert_eq!(all(3).await.unwrap().0, [3, 4, 5, 6], "{}: still readable", test.name);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_was_put_out_does_not_read_what_was_changed_afterwards() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 1, "at first").await;
            let reword = async |text: String| {
                let request = Edit { conversation: there, seq: seq(2), text: Text::new(text).unwrap() };
                let within = std::time::Duration::from_secs(1_000_000);
                edit::apply(&store, user(1), &request, within, Timestamp::now()).await.unwrap();
            };
            let changes = async {
                for round in 1..=100 {
                    alter(&store, 9, 2 * round, 1, Change::Kicked { user: user(2) }).await;
                    reword(format!("without 2, {round}")).await;
                    reword(format!("with 2, {round}")).await;
                    let back = change(9, 2 * round + 1, 1, Change::Joined { user: user(2) });
                    let back = ChangeGroup { visible: Visible::Everything, ..back };
                    change_group::apply(&store, &back).await.unwrap();
                }
            };
            let reads = async || {
                loop {
                    let request = History { conversation: there, before: None, after: None, limit: None };
                    let Ok(page) = page(&store, user(2), &request).await else { continue };
                    let texts: Vec<_> = page.messages.into_iter().map(|entry| entry.text).collect();
                    let leaked = texts.iter().find(|text| text.starts_with("without"));
                    assert_eq!(leaked, None, "{}", test.name);
                }
            };
            tokio::select! {
                () = changes => {}
                () = reads() => {}
                () = reads() => {}
                () = reads() => {}
            }
        }
    }

    #[tokio::test]
    async fn what_was_said_stays_readable_after_a_friendship() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 2).await;
            store.set_gate(pair(1, 2), false, 2).await.unwrap();
            let page = get(&store, 2, pair(1, 2), None, None, 9).await.unwrap();
            assert_eq!(page, (vec![1, 2], false), "{}", test.name);
            assert_eq!(code(get(&store, 3, pair(1, 2), None, None, 9).await), Code::NotFound);
            assert_eq!(code(get(&store, 2, pair(1, 2), Some(1), Some(1), 9).await), Code::Invalid);
            assert_eq!(code(get(&store, 2, pair(1, 2), None, None, 0).await), Code::Invalid);
        }
    }

    #[tokio::test]
    async fn a_message_has_the_reactions_of_its_revision() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            // Each odd revision adds the reaction, each even one takes it away.
            let reacts = async {
                for revision in 1..=100 {
                    let reaction = Text::new("👍").unwrap();
                    let remove = Some(revision % 2 == 0);
                    let request = React { conversation: there, seq: seq(1), reaction, remove };
                    react::apply(&store, user(2), &request, Timestamp::now()).await.unwrap();
                }
            };
            let reads = async {
                loop {
                    let request = History { conversation: there, before: None, after: None, limit: None };
                    let entry = page(&store, user(1), &request).await.unwrap().messages.remove(0);
                    let expected = usize::from(entry.revision % 2 == 1);
                    assert_eq!(entry.reactions.len(), expected, "{}: {entry:?}", test.name);
                }
            };
            tokio::select! {
                () = reacts => {}
                () = reads => {}
            }
        }
    }
}
