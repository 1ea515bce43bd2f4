//! `message.report`: a user reports a message to the moderators, who then see what it said.

use broker_schemas::admin::{self, Subject, TakeReport};
use broker_schemas::message::{Entry, Payload, Report};
use broker_schemas::visible::is_visible;
use broker_schemas::{Conversation, Done, Error, Seq, SignedIn, Text, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::{no_such_conversation, no_such_message};
use crate::store::Store;

impl Handle<Report> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Report) -> Result<Done> {
        let Report { conversation, seq, reason } = request;
        if !is_visible(&reason) || reason.contains('\0') {
            return Err(Error::invalid(
                "reason: expected 1 to 1024 bytes with something to see, without U+0000",
            )
            .into());
        }
        let by = call.caller.user();
        let entry = seen(&self.store, by, conversation, seq).await?;
        // Nothing is recorded here: while the administration is down, the user is told so.
        let about = subject(conversation, seq, entry.from, &entry.text, entry.payload.as_ref())?;
        let report = TakeReport { by: Some(by), about, reason };
        Ok(self.bus.call(&call.scope, &report).await?)
    }
}

/// The message, as somebody sees it who may report it.
async fn seen(store: &Store, user: UserId, conversation: Conversation, seq: Seq) -> Result<Entry> {
    let seat = store.seat(user, conversation).await?.ok_or_else(no_such_conversation)?;
    if !seat.sees(seq) {
        return Err(no_such_message().into());
    }
    let mut snapshot = store.snapshot().await?;
    let entry = Store::entry(&mut snapshot, conversation, seq).await?.ok_or_else(no_such_message)?;
    snapshot.commit().await?;
    if entry.notice.is_some() {
        return Err(Error::invalid("seq: nobody wrote this").into());
    }
    if entry.recalled_by.is_some() {
        return Err(Error::conflict("seq: the message was recalled").into());
    }
    Ok(entry)
}

/// What moderators see of a message: its text, and what its payload says.
pub(crate) fn subject(
    conversation: Conversation,
    seq: Seq,
    from: UserId,
    text: &str,
    payload: Option<&Payload>,
) -> std::result::Result<Subject, Error> {
    let mut text = text.to_owned();
    if let Some(payload) = payload {
        let gap = if text.is_empty() { "" } else { "\n" };
        text = format!("{text}{gap}[{}] {}", &*payload.kind, &*payload.data);
    }
    text.truncate(text.floor_char_boundary(admin::TEXT_BYTES));
    let text = Text::new(text).map_err(Error::invalid)?;
    Ok(Subject::Message { conversation, seq, from, text })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker_schemas::group::Change;
    use broker_schemas::message::Recall;
    use broker_schemas::{Code, Timestamp};

    use super::*;
    use crate::testing::{alter, code, group, pair, say, seq, stores, user};

    #[tokio::test]
    async fn one_reports_what_one_sees_and_as_long_as_it_says_something() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 1, "cheap watches").await;
            alter(&store, 9, 2, 3, Change::Joined { user: user(3) }).await;
            let report = async |by, at| seen(&store, user(by), there, seq(at)).await;
            assert_eq!(report(2, 2).await.unwrap().text, "cheap watches", "{}", test.name);
            assert_eq!(code(report(3, 2).await), Code::NotFound, "{}: from before joining", test.name);
            assert_eq!(code(report(4, 2).await), Code::NotFound, "{}: a stranger", test.name);
            assert_eq!(code(report(2, 9).await), Code::NotFound, "{}", test.name);
            assert_eq!(code(report(2, 1).await), Code::Invalid, "{}: a notice", test.name);
            let recall = Recall { conversation: there, seq: seq(2) };
            let within = Duration::from_secs(9);
            crate::recall::apply(&store, user(1), &recall, within, Timestamp::now()).await.unwrap();
            assert_eq!(code(report(2, 2).await), Code::Conflict, "{}", test.name);
        }
    }

    #[test]
    fn moderators_see_the_beginning_of_what_was_said() {
        let shown = |text: &str, payload| match subject(pair(1, 2), seq(1), user(1), text, payload).unwrap() {
            Subject::Message { text, .. } => text.into_inner(),
            other @ Subject::User(_) => panic!("{other:?}"),
        };
        let long = format!("a{}", "ä".repeat(admin::TEXT_BYTES));
        assert_eq!(shown(&long, None).len(), admin::TEXT_BYTES - 1);
        let (kind, data) = (Text::new("app/poll").unwrap(), Text::new("{}").unwrap());
        let poll = Payload { kind, data };
        assert_eq!(shown("", Some(&poll)), "[app/poll] {}");
        assert_eq!(shown("Lunch?", Some(&poll)), "Lunch?\n[app/poll] {}");
    }
}
