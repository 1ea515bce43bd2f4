//! `message.set_silence`: keeps a user from writing anywhere, or lets the user write again.
//!
//! The row is read in the transaction that stores a message, as a gate is: a send that begins after this was answered is
//! refused by every copy of the module.

use broker_schemas::message::SetSilence;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetSilence> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetSilence) -> Result<Done> {
        self.silences.set(request.user, request.until, request.version).await?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use broker_schemas::message::{Edit, React, Recall};
    use broker_schemas::{Code, Text, Timestamp};

    use crate::plan::Outcome;
    use crate::store::Store;
    use crate::testing::{
        another_copy, code, draft, fill, group, pair, say, send, seq, stores, until_begun, user,
    };

    const FAR: Timestamp = Timestamp(i64::MAX);

    /// Other copies that write without a pause may keep this one from beginning.
    async fn silence(store: &Store, number: u64, until: Option<Timestamp>) {
        while let Err(failure) = store.set_silence(user(number), until).await {
            let failure = format!("{failure:?}");
            assert!(failure.contains("Unavailable"), "{failure}");
        }
    }

    fn is_refused(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Refused(error)
            if error.code == Code::Forbidden && error.message.starts_with("you can't write until "))
    }

    #[tokio::test]
    async fn the_silenced_write_nowhere_by_no_copy_until_they_may_again() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            let there = group(&store, 9, &[1, 2]).await;
            fill(&store, pair(1, 2), 1).await;
            silence(&store, 1, Some(FAR)).await;
            silence(&store, 3, Some(FAR)).await;
            for store in [&store, &other] {
                for conversation in [pair(1, 2), there] {
                    let refused = send(store, &draft(conversation, 1, "x")).await;
                    assert!(is_refused(&refused), "{}: {refused:?}", test.name);
                    say(store, conversation, 2, "the others go on").await;
                }
            }
            silence(&other, 1, None).await;
            say(&store, pair(1, 2), 1, "x").await;
            silence(&store, 1, Some(Timestamp(Timestamp::now().0 - 1))).await;
            say(&other, there, 1, "x").await;
            assert!(!store.list(user(3), None, 9, Timestamp::now()).await.unwrap().more, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn the_silenced_change_nothing_but_may_take_back() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            say(&store, there, 1, "x").await;
            silence(&store, 1, Some(FAR)).await;
            let (seq, now, within) = (seq(2), Timestamp::now(), Duration::from_secs(60));
            let edit = Edit { conversation: there, seq, text: Text::new("y").unwrap() };
            let edited = crate::edit::apply(&store, user(1), &edit, within, now).await;
            assert_eq!(code(edited), Code::Forbidden, "{}", test.name);
            let reaction = Text::new("👍").unwrap();
            let react = React { conversation: there, seq, reaction, remove: None };
            let reacted = crate::react::apply(&store, user(1), &react, now).await;
            assert_eq!(code(reacted), Code::Forbidden, "{}", test.name);
            let mut overviews = store.list(user(1), None, 9, now).await.unwrap().overviews;
            assert!(!overviews.remove(0).open, "{}: the list says so", test.name);
            let recall = Recall { conversation: there, seq };
            crate::recall::apply(&store, user(1), &recall, within, now).await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_next_send_after_the_answer_is_refused_whoever_stores_it() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            fill(&store, pair(1, 2), 1).await;
            for round in 0..20_u64 {
                let silenced = AtomicBool::new(false);
                let send_until_refused = async |store: &Store| loop {
                    let began_after = silenced.load(Ordering::SeqCst);
                    let drafts = [draft(pair(1, 2), 1, "x"), draft(pair(1, 2), 2, "y")];
                    let committed = until_begun(|| crate::commit::commit(store, &drafts)).await;
                    assert!(matches!(committed.outcomes[1], Outcome::Sent(_)), "{}", test.name);
                    if is_refused(&committed.outcomes[0]) {
                        break;
                    }
                    assert!(!began_after, "{} round {round}: stored after the silence", test.name);
                };
                let begin = async {
                    tokio::time::sleep(Duration::from_millis(round % 7)).await;
                    silence(&store, 1, Some(FAR)).await;
                    silenced.store(true, Ordering::SeqCst);
                };
                tokio::join!(begin, send_until_refused(&store), send_until_refused(&other));
                silence(&other, 1, None).await;
            }
        }
    }
}
