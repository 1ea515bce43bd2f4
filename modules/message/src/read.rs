//! `message.read`: up to where one has read; [`crate::cursors`] stores.

use broker_schemas::message::{Read, ReadEvent};
use broker_schemas::subject::Audience;
use broker_schemas::{Done, Error, Seq, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::{Seat, no_such_conversation};
use crate::cursors::{Cursor, Outcome};
use crate::push::{self, AsOf};
use crate::store::Store;

impl Handle<Read> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Read) -> Result<Done> {
        let user = call.caller.user();
        let Read { conversation, seq } = request;
        let seat = self.store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
        if !moves(&seat, seq)? {
            return Ok(Done {});
        }
        match self.reads.submit(Cursor { user, conversation, seq }).await? {
            Outcome::Kept => {}
            Outcome::Failed(error) => return Err(error.into()),
            Outcome::Moved => {
                let event = ReadEvent { conversation, user, seq };
                let receipts_up_to = self.settings.receipts_up_to;
                if is_told_to_all(&self.store, &seat, receipts_up_to).await? {
                    push::to_all(&self.bus, conversation, AsOf::version(seat.place.version), &event).await;
                } else if let Err(error) = self.bus.push(Audience::User(user), &event).await {
                    tracing::debug!(%error, "read cursor not pushed");
                }
            }
        }
        Ok(Done {})
    }
}

/// Whether the cursor moves.
///
/// # Errors
/// When there is no such message yet.
fn moves(seat: &Seat, seq: Seq) -> std::result::Result<bool, Error> {
    seat.check_is_there(seq)?;
    Ok(seq.get() > seat.member.read_seq)
}

/// Whether everybody in the conversation is told at once of who has read. Who is no friend any more learns nothing.
async fn is_told_to_all(store: &Store, seat: &Seat, receipts_up_to: u32) -> Result<bool> {
    if seat.conversation.group_id().is_none() {
        return Ok(seat.place.is_open);
    }
    Ok(!store.has_more_members(seat.conversation, receipts_up_to).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursors::Writer;
    use crate::testing::{fill, group, pair, seq, stores, user};
    use broker_schemas::Code;
    use natter_host::Work;

    #[tokio::test]
    async fn a_cursor_moves_forward_and_not_past_the_end() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 5).await;
            let read = async |at| {
                let seat = store.seat(user(1), pair(1, 2)).await.unwrap().unwrap();
                moves(&seat, seq(at))
            };
            assert_eq!(read(3).await, Ok(true), "{}", test.name);
            assert_eq!(read(6).await.unwrap_err().code, Code::Invalid, "{}", test.name);
            // Of several in one batch the furthest counts, and only that one is told.
            let cursors =
                [2, 4, 3].map(|at| Cursor { user: user(1), conversation: pair(1, 2), seq: seq(at) });
            let outcomes = Writer::new(store.clone()).work(cursors.to_vec()).await;
            let moved: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Moved)).collect();
            assert_eq!(moved, [false, true, false], "{}", test.name);
            assert_eq!((read(4).await, read(5).await), (Ok(false), Ok(true)), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn in_large_groups_only_the_reader_is_told() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2, 3]).await;
            let seat = store.seat(user(1), there).await.unwrap().unwrap();
            assert!(is_told_to_all(&store, &seat, 3).await.unwrap(), "{}", test.name);
            assert!(!is_told_to_all(&store, &seat, 2).await.unwrap(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_is_no_friend_any_more_is_not_told_of_reading() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            let is_told = async || {
                let seat = store.seat(user(1), there).await.unwrap().unwrap();
                is_told_to_all(&store, &seat, 0).await.unwrap()
            };
            assert!(is_told().await, "{}", test.name);
            store.set_gate(there, false, 2).await.unwrap();
            assert!(!is_told().await, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn cursors_of_two_copies_in_each_others_way_are_all_stored() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &(1..=300).collect::<Vec<_>>()).await;
            let other = crate::testing::another_copy(&test).await;
            for at in 2..=12 {
                crate::testing::say(&store, there, 1, "x").await;
                let cursor = |number| Cursor { user: user(number), conversation: there, seq: seq(at) };
                let (mut here, mut other) = (Writer::new(store.clone()), Writer::new(other.clone()));
                let (a, b) = tokio::join!(
                    here.work((1..=250).map(cursor).collect()),
                    other.work((51..=300).rev().map(cursor).collect()),
                );
                let failed = a.into_iter().chain(b).filter(|outcome| matches!(outcome, Outcome::Failed(_)));
                assert_eq!(failed.count(), 0, "{}", test.name);
                assert_eq!(store.readers(there, at).await.unwrap().len(), 300, "{}", test.name);
            }
        }
    }
}
