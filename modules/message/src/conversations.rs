//! `message.conversations`: a page of one's conversations, the one with the newest message first.

use broker_schemas::message::{Conversations, ListConversations};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::page::limit;
use crate::store::{Listed, Store};

impl Handle<ListConversations> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListConversations) -> Result<Conversations> {
        page(&self.store, call.caller.user(), &request).await
    }
}

async fn page(store: &Store, user: UserId, request: &ListConversations) -> Result<Conversations> {
    let &ListConversations { after, limit: asked } = request;
    let limit = limit(asked)?;
    // Where a conversation stands in the list tells when something was last said in it.
    if let Some(after) = after
        && store.seat(user, after).await?.is_none()
    {
        return Err(Error::not_found("after: you are in no such conversation").into());
    }
    let Listed { overviews, more } = store.list(user, after, limit, Timestamp::now()).await?;
    Ok(Conversations { conversations: overviews, more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alter, code, draft, fill, group, pair, say, send, seq, stores, user};
    use broker_schemas::group::Change;
    use broker_schemas::message::{Overview, PREVIEW_BYTES, Payload};
    use broker_schemas::{Code, Conversation, List, Text};

    async fn list(store: &Store, by: u64) -> Vec<Overview> {
        let all = ListConversations { after: None, limit: None };
        page(store, user(by), &all).await.unwrap().conversations
    }

    async fn only(store: &Store, by: u64) -> Overview {
        list(store, by).await.remove(0)
    }

    #[tokio::test]
    async fn pages_of_the_list_have_each_conversation_once_newest_first() {
        for (store, test) in stores().await {
            for peer in 2..=30 {
                // They all have the same time, as when they come in one batch.
                fill(&store, pair(1, peer), 1).await;
            }
            say(&store, pair(1, 17), 1, "new").await;
            let mut after = None;
            let mut seen: Vec<Conversation> = Vec::new();
            loop {
                let request = ListConversations { after, limit: Some(7) };
                let Conversations { conversations, more } = page(&store, user(1), &request).await.unwrap();
                assert!(conversations.len() == 7 || !more, "{}", test.name);
                seen.extend(conversations.iter().map(|overview| overview.standing.conversation));
                after = seen.last().copied();
                if !more {
                    break;
                }
            }
            assert_eq!(seen[0], pair(1, 17), "{}", test.name);
            seen.sort_unstable();
            assert_eq!(seen, (2..=30).map(|peer| pair(1, peer)).collect::<Vec<_>>(), "{}", test.name);
            let foreign = ListConversations { after: Some(pair(2, 3)), limit: None };
            assert_eq!(code(page(&store, user(1), &foreign).await), Code::NotFound, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_preview_shows_what_the_last_message_is() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            let last = async || only(&store, 2).await.last.unwrap();
            assert!(matches!(last().await.notice, Some(Change::Created { .. })), "{}", test.name);
            let mut with_payload = draft(there, 1, &"ä".repeat(PREVIEW_BYTES));
            let kind = Text::new("app/place").unwrap();
            with_payload.content.payload = Some(Payload { kind, data: Text::new("{}").unwrap() });
            send(&store, &with_payload).await;
            let preview = last().await;
            assert_eq!(preview.text, "ä".repeat(PREVIEW_BYTES / 2), "{}", test.name);
            assert_eq!((preview.seq, preview.from), (seq(2), user(1)), "{}", test.name);
            assert_eq!(
                (preview.kind.as_deref(), preview.recalled),
                (Some("app/place"), false),
                "{}",
                test.name
            );
            let recall = broker_schemas::message::Recall { conversation: there, seq: seq(2) };
            let within = std::time::Duration::from_secs(9);
            crate::recall::apply(&store, user(1), &recall, within, Timestamp::now()).await.unwrap();
            let preview = last().await;
            assert_eq!((&*preview.text, preview.kind, preview.recalled), ("", None, true), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn the_list_says_where_one_stands_and_whether_one_may_write() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 3).await;
            store.move_cursors(&[((user(1), pair(1, 2)), seq(2))].into()).await.unwrap();
            let overview = only(&store, 1).await;
            assert_eq!((overview.standing.unread(), overview.open), (1, true), "{}", test.name);
            store.set_gate(pair(1, 2), false, 2).await.unwrap();
            assert!(!only(&store, 1).await.open, "{}", test.name);

            group(&store, 9, &[3, 4]).await;
            let far = Some(Timestamp(i64::MAX));
            alter(&store, 9, 2, 3, Change::Muted { user: None, until: far }).await;
            assert!(only(&store, 3).await.open, "{}", test.name);
            assert!(!only(&store, 4).await.open, "{}", test.name);
            assert_eq!(only(&store, 4).await.standing.unread(), 2, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_list_with_long_notices_comes_in_several_pages() {
        for (store, test) in stores().await {
            let members: Vec<_> = (1_000_000_000..1_000_000_900).map(user).collect();
            for number in 1..=12 {
                let members = List::new(members.clone()).unwrap();
                let created = Change::Created { name: Text::new("g").unwrap(), members };
                alter(&store, number, 1, 1, created).await;
            }
            let all = ListConversations { after: None, limit: None };
            let Conversations { conversations, more } = page(&store, user(1), &all).await.unwrap();
            assert!(more && (1..12).contains(&conversations.len()), "{}", test.name);
        }
    }
}
