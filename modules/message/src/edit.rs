//! `message.edit`: another wording for a text that one sent.

use std::time::Duration;

use broker_schemas::message::{Changed, Edit, EditedEvent};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::silence::check_not_silenced;
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::change::Applied;
use crate::retry::retrying;
use crate::send::check_text;
use crate::store::{Store, Target};

impl Handle<Edit> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Edit) -> Result<Changed> {
        if request.text.is_empty() {
            return Err(Error::invalid("text: expected 1 to 16384 bytes, got none").into());
        }
        check_text(&request.text)?;
        let user = call.caller.user();
        self.limits.check_change(user)?;
        let rules = self.rules.current();
        let watched = rules.check_text("text", &request.text)?;
        let within = self.settings.edit_within();
        let applied = retrying(|| apply(&self.store, user, &request, within, Timestamp::now())).await?;
        if let Some(words) = watched {
            self.watch.report(request.conversation, request.seq, user, &request.text, words);
        }
        Ok(self.finish(request.conversation, applied).await)
    }
}

pub(crate) async fn apply(
    store: &Store,
    user: UserId,
    request: &Edit,
    within: Duration,
    now: Timestamp,
) -> Result<Applied<EditedEvent>> {
    let Edit { conversation, seq, ref text } = *request;
    let mut transaction = store.begin().await?;
    let target = store.target(&mut transaction, user, conversation, seq).await?;
    check(&target, user, within, now, text)?;
    check_not_silenced(&mut *transaction, user, now).await?;
    if target.entry.text == **text {
        return Ok(Applied::Already(target.entry.revision));
    }
    store.rewrite(&mut transaction, &target.entry, text, now).await?;
    Store::revise(&mut transaction, &target.entry, target.next_revision()).await?;
    let as_of = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = EditedEvent { conversation, seq, revision, text: text.to_string(), edited_at: now };
    Ok(Applied::Now { revision, as_of, event })
}

fn check(
    target: &Target,
    user: UserId,
    within: Duration,
    now: Timestamp,
    text: &str,
) -> std::result::Result<(), Error> {
    let Target { seat, entry } = target;
    seat.check_may_write(now)?;
    if entry.from != user || entry.notice.is_some() {
        return Err(Error::forbidden("seq: you can edit your own messages only"));
    }
    if entry.recalled_by.is_some() {
        return Err(Error::conflict("seq: the message was recalled"));
    }
    if entry.text.is_empty() {
        return Err(Error::forbidden("seq: the message has no text to edit"));
    }
    if entry.text != text && now > entry.sent_at.after(within) {
        return Err(Error::forbidden(format!(
            "seq: a message can be edited for {} s only",
            within.as_secs()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall;
    use crate::testing::{alter, code, entries, fill, group, pair, say, seq, stores, user};
    use broker_schemas::group::Change;
    use broker_schemas::{Code, Conversation, Text};

    const WITHIN: Duration = Duration::from_secs(900);

    async fn edit(
        store: &Store,
        there: Conversation,
        at: u64,
        by: u64,
        text: &str,
    ) -> Result<Applied<EditedEvent>> {
        let request = Edit { conversation: there, seq: seq(at), text: Text::new(text).unwrap() };
        apply(store, user(by), &request, WITHIN, Timestamp::now()).await
    }

    #[tokio::test]
    async fn an_edit_gets_the_next_revision_and_the_same_one_again_changes_nothing() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            say(&store, there, 1, "one").await;
            say(&store, there, 2, "two").await;
            for (at, by, text, expected) in [(1, 1, "eins", 1), (2, 2, "zwei", 2), (1, 1, "uno", 3)] {
                let Applied::Now { revision, event, .. } = edit(&store, there, at, by, text).await.unwrap()
                else {
                    panic!("{}", test.name)
                };
                assert_eq!((revision, event.revision, &*event.text), (expected, expected, text));
            }
            for (at, by, text, expected) in [(1, 1, "uno", 3), (2, 2, "zwei", 2)] {
                let again = edit(&store, there, at, by, text).await.unwrap();
                assert!(matches!(again, Applied::Already(revision) if revision == expected), "{again:?}");
            }
            let now = entries(&store, there).await;
            let now: Vec<_> =
                now.iter().map(|entry| (&*entry.text, entry.revision, entry.edited_at.is_some())).collect();
            assert_eq!(now, [("uno", 3, true), ("zwei", 2, true)], "{}", test.name);
            let seat = store.seat(user(1), there).await.unwrap().unwrap();
            assert_eq!(seat.place.revision, 3, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn one_edits_ones_own_texts_in_time_where_one_may_write() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 2, "two").await;
            let forbidden = async |at, by| code(edit(&store, there, at, by, "new").await);
            assert_eq!(forbidden(2, 1).await, Code::Forbidden, "{}: the owner neither", test.name);
            assert_eq!(forbidden(1, 1).await, Code::Forbidden, "{}: a notice", test.name);
            assert_eq!(forbidden(3, 2).await, Code::NotFound, "{}", test.name);
            assert_eq!(forbidden(2, 3).await, Code::NotFound, "{}: a stranger", test.name);

            let late = Timestamp::now().after(WITHIN + Duration::from_secs(1));
            let text = |text| Edit { conversation: there, seq: seq(2), text: Text::new(text).unwrap() };
            let (same, new) = (text("two"), text("new"));
            assert_eq!(code(apply(&store, user(2), &new, WITHIN, late).await), Code::Forbidden);
            let again = apply(&store, user(2), &same, WITHIN, late).await.unwrap();
            assert!(matches!(again, Applied::Already(0)), "{}", test.name);

            let until = Some(Timestamp(i64::MAX));
            alter(&store, 9, 2, 1, Change::Muted { user: Some(user(2)), until }).await;
            assert_eq!(forbidden(2, 2).await, Code::Forbidden, "{}: muted", test.name);
            alter(&store, 9, 3, 1, Change::Muted { user: Some(user(2)), until: None }).await;
            edit(&store, there, 2, 2, "new").await.unwrap();
            let recall = broker_schemas::message::Recall { conversation: there, seq: seq(2) };
            recall::apply(&store, user(2), &recall, WITHIN, Timestamp::now()).await.unwrap();
            assert_eq!(forbidden(2, 2).await, Code::Conflict, "{}: recalled", test.name);
        }
    }

    #[tokio::test]
    async fn when_the_friendship_is_over_nothing_is_edited_any_more() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            store.set_gate(there, false, 2).await.unwrap();
            assert_eq!(code(edit(&store, there, 1, 1, "new").await), Code::Forbidden, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_joined_after_a_message_is_not_told_what_it_says_now() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 1, "before").await;
            alter(&store, 9, 2, 3, Change::Joined { user: user(3) }).await;
            let Applied::Now { as_of, .. } = edit(&store, there, 2, 1, "now").await.unwrap() else {
                panic!()
            };
            assert_eq!((as_of.version, as_of.joined_by), (2, 1), "{}", test.name);
            assert_eq!(code(edit(&store, there, 2, 3, "mine").await), Code::NotFound, "{}", test.name);
        }
    }
}
