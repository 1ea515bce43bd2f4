//! Campaigns, reports, and what staff does to messages.

use broker_schemas::message::{self, Reach};
use broker_schemas::{Done, id};

use super::super::{Example, book, direct, in_group, list, reply, request, seq, text, then, user_id};
use super::{UNICODE, done};

pub(super) fn examples() -> Vec<Example> {
    [campaigns(), moderation()].into_iter().flatten().collect()
}

fn campaigns() -> Vec<Example> {
    let post = |to, words| message::Post { campaign: 7, from: user_id(2), to, text: text(words) };
    vec![
        request("to nobody", &post(list(vec![]), "Try the new stickers")),
        request("to some, in Unicode", &post(list(vec![user_id(3), user_id(id::MAX_ID)]), UNICODE)),
        reply::<message::Post>("all of them had it", &message::Posted { sent: 0 }),
        reply::<message::Post>("some had it", &message::Posted { sent: 300 }),
        request("a campaign", &message::GetReach { campaign: u64::MAX }),
        reply::<message::GetReach>("not begun", &Reach::default()),
        reply::<message::GetReach>("under way", &Reach { sent: 1_000, delivered: 300, read: 12 }),
        request("up to there", &message::Received { conversation: direct(), seq: seq(12) }),
        request("in a group", &message::Received { conversation: in_group(), seq: seq(id::MAX_ID) }),
        done::<message::Received>(),
    ]
}

fn moderation() -> Vec<Example> {
    let silence = |until, version| message::SetSilence { user: user_id(7), until, version };
    vec![
        request(
            "in a direct conversation",
            &message::Report { conversation: direct(), seq: seq(12), reason: text("Spam") },
        ),
        request(
            "in a group, in Unicode",
            &message::Report { conversation: in_group(), seq: seq(128), reason: text(UNICODE) },
        ),
        done::<message::Report>(),
        request("in a direct conversation", &message::GetAuthor { conversation: direct(), seq: seq(12) }),
        request("in a group", &message::GetAuthor { conversation: in_group(), seq: seq(12) }),
        reply::<message::GetAuthor>("a user", &message::Author { user: user_id(7) }),
        request(
            "in a direct conversation",
            &message::Remove { conversation: direct(), seq: seq(12), by: user_id(3) },
        ),
        request("in a group", &message::Remove { conversation: in_group(), seq: seq(1), by: user_id(3) }),
        done::<message::Remove>(),
        request("for a time", &silence(Some(then()), 1)),
        request("lifted", &silence(None, u64::MAX)),
        reply::<message::SetSilence>("done", &Done {}),
        request("no rules", &message::SetRules { book: book(1, false) }),
        request("rules of every kind", &message::SetRules { book: book(300, true) }),
        done::<message::SetRules>(),
    ]
}
