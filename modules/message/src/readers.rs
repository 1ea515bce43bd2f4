//! `message.readers`: who has read a conversation up to where.

use broker_schemas::message::{ListReaders, Reader, Readers};
use broker_schemas::{Seq, SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::store::Store;

impl Handle<ListReaders> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListReaders) -> Result<Readers> {
        Ok(Readers { readers: list(&self.store, call.caller.user(), &request).await? })
    }
}

async fn list(store: &Store, user: UserId, request: &ListReaders) -> Result<Vec<Reader>> {
    let ListReaders { conversation, seq } = *request;
    let seat = store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
    if let Some(seq) = seq {
        seat.check_is_there(seq)?;
    }
    let mut readers = store.readers(conversation, seq.map_or(0, Seq::get)).await?;
    if conversation.group_id().is_none() && !seat.place.is_open {
        // What the other reads is no business of who is no friend any more.
        readers.retain(|reader| reader.user == user);
    }
    Ok(readers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{code, fill, group, pair, seq, stores, user};
    use broker_schemas::{Code, Conversation};

    async fn readers(store: &Store, conversation: Conversation, at: Option<u64>) -> Vec<Reader> {
        list(store, user(1), &ListReaders { conversation, seq: at.map(seq) }).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_not_said_yet_nobody_can_have_read() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 3).await;
            let request = |at| ListReaders { conversation: there, seq: Some(seq(at)) };
            assert!(list(&store, user(1), &request(3)).await.unwrap().is_empty(), "{}", test.name);
            assert_eq!(code(list(&store, user(1), &request(4)).await), Code::Invalid, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_is_no_friend_any_more_learns_of_no_reading() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 3).await;
            let all = [Reader { user: user(1), seq: 0 }, Reader { user: user(2), seq: 2 }];
            store.move_cursors(&[((user(2), there), seq(2))].into()).await.unwrap();
            assert_eq!(readers(&store, there, None).await, all, "{}", test.name);
            store.set_gate(there, false, 2).await.unwrap();
            store.move_cursors(&[((user(2), there), seq(3))].into()).await.unwrap();
            assert_eq!(readers(&store, there, None).await, all[..1], "{}", test.name);
            assert!(readers(&store, there, Some(2)).await.is_empty(), "{}", test.name);
            let members = group(&store, 9, &[1, 2]).await;
            assert_eq!(readers(&store, members, None).await.len(), 2, "{}", test.name);
        }
    }
}
