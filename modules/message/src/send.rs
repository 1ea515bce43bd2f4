//! `message.send`: the rules that need no database; [`crate::plan`] has the others, [`crate::commit`] stores.

use std::collections::HashSet;

use broker_schemas::message::{KIND_BYTES, Payload, Recipient, Send, Sent};
use broker_schemas::{Conversation, Error, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::plan::{Content, Draft, Outcome};

impl Handle<Send> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Send) -> Result<Sent> {
        let from = call.caller.user();
        let conversation = match request.to {
            Recipient::User(user) => {
                Conversation::direct(from, user).map_err(|why| Error::invalid(format!("to.user: {why}")))?
            }
            Recipient::Group(group) => Conversation::group(group),
        };
        let client_id = request.client_id;
        let content = content(request)?;
        let rules = self.rules.current();
        // What is to be reported once it is stored, and for the rule of which words.
        let watched = rules.check_text("text", &content.text)?.map(|words| (content.text.clone(), words));
        self.limits.check_send(from, client_id)?;
        let draft = Draft { conversation, from, client_id, content };
        let (mut outcome, draft) = self.sends.submit(draft).await?;
        if let Some(draft) = draft
            && self.learn_gate(&call.scope, conversation).await?
        {
            (outcome, _) = self.sends.submit(draft).await?;
        }
        match outcome {
            Outcome::Sent(sent) => {
                if let Some((text, words)) = watched {
                    self.watch.report(conversation, sent.seq, from, &text, words);
                }
                Ok(sent)
            }
            Outcome::UnknownGate => Err(Error::forbidden("you can write to friends only").into()),
            Outcome::Refused(error) | Outcome::Failed(error) => Err(error.into()),
        }
    }
}

/// What the request says.
///
/// # Errors
/// Names the field that is against a rule.
fn content(request: Send) -> std::result::Result<Content, Error> {
    let Send { text, quote, mentions, payload, .. } = request;
    if text.is_empty() && payload.is_none() {
        return Err(Error::invalid("text: expected 1 to 16384 bytes, got none, and no payload either"));
    }
    check_text(&text)?;
    if let Some(payload) = &payload {
        check_kind(payload)?;
    }
    // Whom a text mentions twice is pointed out once.
    let mut seen = HashSet::new();
    let mentions = mentions.map_or_else(Vec::new, |mentions| mentions.into_inner());
    let mentions = mentions.into_iter().filter(|user| seen.insert(*user)).collect();
    Ok(Content { text: text.into_inner(), quote, mentions, payload })
}

/// PostgreSQL can't store the character.
///
/// # Errors
/// When a text has it.
pub(crate) fn check_text(text: &str) -> std::result::Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::invalid("text: the character U+0000 is not accepted"));
    }
    Ok(())
}

fn check_kind(payload: &Payload) -> std::result::Result<(), Error> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "._/+-".contains(c);
    if payload.kind.is_empty() || !payload.kind.chars().all(is_good) {
        return Err(Error::invalid(format!(
            "payload.kind: expected 1 to {KIND_BYTES} of A-Z a-z 0-9 . _ / + -, got {:?}",
            &*payload.kind
        )));
    }
    if payload.data.contains('\0') {
        return Err(Error::invalid("payload.data: the character U+0000 is not accepted"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;
    use broker_schemas::{Code, List, Text};
    use uuid::Uuid;

    fn request(text: &str, payload: Option<(&str, &str)>) -> Send {
        let payload = payload
            .map(|(kind, data)| Payload { kind: Text::new(kind).unwrap(), data: Text::new(data).unwrap() });
        Send {
            to: Recipient::User(user(2)),
            client_id: Uuid::now_v7(),
            text: Text::new(text).unwrap(),
            quote: None,
            mentions: None,
            payload,
        }
    }

    #[test]
    fn a_message_has_a_text_or_a_payload() {
        content(request("hello", None)).unwrap();
        content(request("", Some(("app/place", "1,2")))).unwrap();
        content(request("", Some(("x", "")))).unwrap();
        content(request("look", Some(("application/vnd.x+json", "{}")))).unwrap();
        assert_eq!(content(request("", None)).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn what_databases_and_applications_cannot_read_is_refused_by_name() {
        for (text, payload, field) in [
            ("a\0", None, "text"),
            ("a", Some(("", "")), "payload.kind"),
            ("a", Some(("a b", "")), "payload.kind"),
            ("a", Some(("ä", "")), "payload.kind"),
            ("a", Some(("a", "\0")), "payload.data"),
        ] {
            let error = content(request(text, payload)).unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.starts_with(field), "{error}");
        }
    }

    #[test]
    fn whoever_is_mentioned_is_so_once() {
        let mentions = Some(List::new([2, 3, 2].map(user).to_vec()).unwrap());
        let content = content(Send { mentions, ..request("@2 @3 @2", None) }).unwrap();
        assert_eq!(content.mentions, [2, 3].map(user));
    }
}
