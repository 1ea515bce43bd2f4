//! Examples of moderation: users, messages, groups, reports, rules.

use broker_schemas::admin::{self, Applies, NumberedRule, Report, Rule, Settled, Subject, Then};

use super::super::{Example, direct, group_id, in_group, reply, request, seq, text, then, user_id};
use super::done;

pub(super) fn examples() -> Vec<Example> {
    [acts(), reports(), rules()].into_iter().flatten().collect()
}

fn acts() -> Vec<Example> {
    let user = user_id(7);
    vec![
        request("for good", &admin::Ban { user, reason: text("spam"), until: None }),
        request("for a while", &admin::Ban { user, reason: text("\"spam\" 📚"), until: Some(then()) }),
        done::<admin::Ban>(),
        request("a user", &admin::Unban { user }),
        done::<admin::Unban>(),
        request("for a while", &admin::Mute { user, until: Some(then()) }),
        request("no longer", &admin::Mute { user, until: None }),
        done::<admin::Mute>(),
        request("a user", &admin::SignOut { user }),
        done::<admin::SignOut>(),
        request("a message", &admin::RemoveMessage { conversation: in_group(), seq: seq(300) }),
        request("between two", &admin::RemoveMessage { conversation: direct(), seq: seq(12) }),
        done::<admin::RemoveMessage>(),
        request("a group", &admin::DissolveGroup { group: group_id(9) }),
        done::<admin::DissolveGroup>(),
    ]
}

fn message() -> Subject {
    Subject::Message { conversation: direct(), seq: seq(12), from: user_id(7), text: text("buy \"this\"") }
}

fn said_in_group() -> Subject {
    Subject::Message { conversation: in_group(), seq: seq(300), from: user_id(7), text: text("") }
}

fn reports() -> Vec<Example> {
    let open = Report {
        report: 4,
        by: Some(user_id(3)),
        times: 2,
        about: message(),
        reason: "spam".into(),
        made_at: then(),
        settled: None,
    };
    let settled = Report {
        about: Subject::User(user_id(7)),
        settled: Some(Settled { by: user_id(1), at: then(), note: "banned".into() }),
        ..open.clone()
    };
    vec![
        request(
            "a user",
            &admin::TakeReport {
                by: Some(user_id(3)),
                about: Subject::User(user_id(7)),
                reason: text("spam"),
            },
        ),
        request(
            "a message",
            &admin::TakeReport { by: Some(user_id(3)), about: message(), reason: text("spam") },
        ),
        request(
            "a message, by a rule",
            &admin::TakeReport { by: None, about: message(), reason: text("rule: no adverts") },
        ),
        request(
            "a message in a group",
            &admin::TakeReport { by: Some(user_id(3)), about: said_in_group(), reason: text("spam") },
        ),
        done::<admin::TakeReport>(),
        request("open ones", &admin::ListReports { settled: None, after: None, limit: None }),
        request(
            "settled ones",
            &admin::ListReports { settled: Some(true), after: Some(4), limit: Some(200) },
        ),
        reply::<admin::ListReports>("nothing", &admin::Reports { reports: Vec::new(), more: false }),
        reply::<admin::ListReports>(
            "one of a group, by a rule",
            &admin::Reports {
                reports: vec![Report { by: None, about: said_in_group(), ..open.clone() }],
                more: false,
            },
        ),
        reply::<admin::ListReports>("a page", &admin::Reports { reports: vec![open, settled], more: true }),
        request("with a note", &admin::SettleReport { report: 4, note: text("warned") }),
        done::<admin::SettleReport>(),
    ]
}

fn rules() -> Vec<Example> {
    let names = Rule {
        applies: Applies::Names,
        pattern: text("^admin"),
        then: Then::Refuse,
        words: text("this name is kept for the platform"),
    };
    let texts =
        Rule {
            applies: Applies::Texts, pattern: text(r"cas\wno"), then: Then::Report, words: text("no 📚")
        };
    let numbered = NumberedRule { id: 2, rule: texts.clone() };
    vec![
        request("all", &admin::ListRules {}),
        reply::<admin::ListRules>(
            "none",
            &admin::Rules { version: 0, rules: Vec::new(), pending: Vec::new() },
        ),
        reply::<admin::ListRules>(
            "one that a module lacks",
            &admin::Rules { version: 300, rules: vec![numbered], pending: vec!["message".into()] },
        ),
        request("a new one", &admin::SetRule { id: None, rule: names }),
        request("another one instead", &admin::SetRule { id: Some(2), rule: texts }),
        reply::<admin::SetRule>("its id", &admin::RuleSet { id: 2 }),
        request("one", &admin::RemoveRule { id: 2 }),
        done::<admin::RemoveRule>(),
    ]
}
