//! Each test runs once per database that there is, each time with tables of its own.

mod campaigns;

use std::time::Duration;

use broker_schemas::admin::{Applies, AuditOutcome, Rule, Subject, TakeReport, Then};
use broker_schemas::announcement::SeenRevision;
use broker_schemas::{Code, Conversation, Error, Role, Seq, Text, Timestamp, UserId};
use natter_host::Failure;
use natter_host::testing::databases;
use sqlx::{AssertSqlSafe, query};

use super::{Changed, Filter, MIGRATIONS, Store, Taken};
use crate::audit::Act;

pub(crate) async fn each_database(test: impl AsyncFn(Store)) {
    for there in databases("admin", MIGRATIONS).await {
        println!("with {}", there.name);
        test(Store::new(there.database.clone())).await;
        there.database.close().await;
    }
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn act(by: Option<u64>, method: &str, on: Option<u64>) -> Act {
    Act {
        at: Timestamp(1_000),
        by: by.map(user),
        roles: if by.is_some() { vec![Role::Moderator, Role::Auditor] } else { vec![] },
        origin: "192.0.2.7 through edge e1".into(),
        method: method.into(),
        on: on.map(user),
        request: r#"{"user":9}"#.into(),
    }
}

fn refused() -> AuditOutcome {
    AuditOutcome::Refused { code: Code::Forbidden, message: "only an operator may do this".into() }
}

#[tokio::test]
async fn an_act_is_in_the_log_before_its_outcome_and_with_it_after() {
    each_database(async |store| {
        let entry = store.begin_act(&act(Some(7), "ban", Some(9))).await.unwrap();
        let read = async || store.acts(&Filter::default(), 10).await.unwrap().remove(0);
        let begun = read().await;
        assert_eq!(
            (begun.entry, begun.by, begun.on, begun.outcome),
            (entry, Some(user(7)), Some(user(9)), None)
        );
        assert_eq!((begun.roles, begun.method.as_str()), (vec![Role::Moderator, Role::Auditor], "ban"));
        store.end_act(entry, &AuditOutcome::Done).await.unwrap();
        assert_eq!(read().await.outcome, Some(AuditOutcome::Done));
        // The first outcome stands: the recorder may come late with another.
        store.end_act(entry, &refused()).await.unwrap();
        assert_eq!(read().await.outcome, Some(AuditOutcome::Done));

        store.record_act(&act(None, "ban\0", None), &refused()).await.unwrap();
        let recorded = read().await;
        assert_eq!((recorded.by, recorded.roles.len(), recorded.outcome), (None, 0, Some(refused())));
    })
    .await;
}

#[tokio::test]
async fn what_is_in_the_log_cannot_be_changed_or_removed() {
    each_database(async |store| {
        let entry = store.begin_act(&act(Some(7), "ban", Some(9))).await.unwrap();
        store.end_act(entry, &AuditOutcome::Done).await.unwrap();
        let before = store.acts(&Filter::default(), 10).await.unwrap();
        let values = "1, 1, NULL, '', '', 'unban', NULL, ''";
        for sql in [
            "UPDATE audit SET method = 'unban'".to_owned(),
            "UPDATE audit_outcome SET code = 'forbidden'".to_owned(),
            "DELETE FROM audit".to_owned(),
            "DELETE FROM audit_outcome".to_owned(),
            format!("INSERT INTO audit VALUES ({values}) ON CONFLICT (id) DO UPDATE SET method = 'unban'"),
        ] {
            let error = query(AssertSqlSafe(sql.clone())).execute(store.database.write()).await.unwrap_err();
            assert!(error.to_string().contains("the audit log can't be changed"), "{sql}: {error}");
        }
        for sql in match store.database.dialect() {
            natter_host::Dialect::Postgres => ["TRUNCATE audit", "TRUNCATE audit_outcome"].map(str::to_owned),
            natter_host::Dialect::Sqlite => [
                format!("INSERT OR REPLACE INTO audit VALUES ({values})"),
                "INSERT OR REPLACE INTO audit_outcome VALUES (1, 1, 'forbidden', '')".to_owned(),
            ],
        } {
            // Refused, or passed over.
            let _ = query(AssertSqlSafe(sql)).execute(store.database.write()).await;
        }
        assert_eq!(store.acts(&Filter::default(), 10).await.unwrap(), before);
    })
    .await;
}

#[tokio::test]
async fn the_log_is_read_by_who_on_whom_what_and_in_pages() {
    each_database(async |store| {
        for (by, method, on) in [
            (Some(7), "ban", Some(9)),
            (Some(7), "mute", Some(8)),
            (Some(6), "ban", Some(8)),
            (None, "ban", None),
        ] {
            store.record_act(&act(by, method, on), &AuditOutcome::Done).await.unwrap();
        }
        let found = async |filter: Filter, limit| -> Vec<u64> {
            store.acts(&filter, limit).await.unwrap().into_iter().map(|entry| entry.entry).collect()
        };
        let all = Filter::default();
        assert_eq!(found(all.clone(), 10).await, [4, 3, 2, 1]);
        assert_eq!(found(Filter { before: Some(3), ..all.clone() }, 1).await, [2]);
        assert_eq!(found(Filter { by: Some(user(7)), ..all.clone() }, 10).await, [2, 1]);
        assert_eq!(found(Filter { on: Some(user(8)), ..all.clone() }, 10).await, [3, 2]);
        assert_eq!(found(Filter { method: Some("ban".into()), on: Some(user(8)), ..all }, 10).await, [3]);
    })
    .await;
}

#[tokio::test]
async fn an_announcement_is_unseen_until_it_is_seen_in_its_present_revision() {
    each_database(async |store| {
        let now = Timestamp::now();
        let soon = now.after(Duration::from_secs(60));
        let first = store.announce("one", soon, now).await.unwrap().unwrap().announcement;
        let second = store.announce("two", soon, now).await.unwrap().unwrap().announcement;
        let unseen = async |who: u64| -> Vec<(u64, u32)> {
            let unseen = store.unseen(user(who), now).await.unwrap();
            unseen.into_iter().map(|event| (event.announcement, event.revision)).collect()
        };
        assert_eq!(unseen(7).await, [(first, 1), (second, 1)]);
        let seen = |announcement, revision| SeenRevision { announcement, revision };
        // What doesn't exist, or not yet in that revision, can't be seen in advance.
        store.mark_seen(user(7), &[seen(second, 1), seen(99, 1), seen(first, 2)]).await.unwrap();
        assert_eq!(unseen(7).await, [(first, 1)]);
        store.mark_seen(user(7), &[seen(first, 1), seen(first, 1)]).await.unwrap();
        assert_eq!((unseen(7).await.len(), unseen(8).await.len()), (0, 2));

        let Changed::To(event) = store.change_announcement(first, Some("uno"), None).await.unwrap() else {
            panic!("not changed")
        };
        assert_eq!((event.revision, event.text.as_deref()), (2, Some("uno")));
        assert_eq!(unseen(7).await, [(first, 2)]);
        // The same text, or only another end, is nothing new to read.
        let later = soon.after(Duration::from_secs(60));
        store.change_announcement(first, Some("uno"), Some(later)).await.unwrap();
        assert_eq!(unseen(7).await, [(first, 2)]);
        // A late word of the old revision doesn't take back that the new one was seen.
        store.mark_seen(user(7), &[seen(first, 2)]).await.unwrap();
        store.mark_seen(user(7), &[seen(first, 1)]).await.unwrap();
        assert_eq!(unseen(7).await, []);

        let listed = store.announcements(None, 10).await.unwrap();
        let shown: Vec<_> = listed.iter().map(|entry| (entry.announcement, entry.seen_by)).collect();
        assert_eq!(shown, [(second, 1), (first, 1)]);
        assert_eq!(store.announcements(Some(second), 10).await.unwrap().len(), 1);

        assert!(
            matches!(store.withdraw(second, now).await.unwrap(), Changed::To(event) if event.text.is_none())
        );
        assert_eq!(store.withdraw(second, now).await.unwrap(), Changed::Withdrawn);
        assert_eq!(store.withdraw(99, now).await.unwrap(), Changed::Missing);
        assert_eq!(store.change_announcement(second, Some("x"), None).await.unwrap(), Changed::Withdrawn);
        assert_eq!(unseen(8).await, [(first, 2)]);
        // Ended ones are shown to nobody.
        assert!(store.unseen(user(8), later).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn announcements_in_force_are_bounded() {
    each_database(async |store| {
        let now = Timestamp::now();
        let soon = now.after(Duration::from_secs(60));
        let mut last = 0;
        for _ in 0..broker_schemas::announcement::MAX {
            last = store.announce("x", soon, now).await.unwrap().unwrap().announcement;
        }
        assert_eq!(store.announce("x", soon, now).await.unwrap(), None);
        store.withdraw(last, now).await.unwrap();
        assert!(store.announce("x", soon, now).await.unwrap().is_some());
    })
    .await;
}

fn report(by: u64, about: Subject) -> TakeReport {
    TakeReport { by: Some(user(by)), about, reason: Text::new("spam").unwrap() }
}

fn message(seq: u64) -> Subject {
    Subject::Message {
        conversation: Conversation::direct(user(3), user(7)).unwrap(),
        seq: Seq::new(seq).unwrap(),
        from: user(3),
        text: Text::new("buy this").unwrap(),
    }
}

#[tokio::test]
async fn the_same_report_counts_once_per_user_and_anew_once_it_is_settled() {
    each_database(async |store| {
        let now = Timestamp::now();
        let take =
            async |report: &TakeReport| store.take_report(report, now, Timestamp(0), 20).await.unwrap();
        for by in [7, 7, 8] {
            assert_eq!(take(&report(by, message(1))).await, Taken::Taken);
        }
        take(&report(7, Subject::User(user(3)))).await;
        let open = store.reports(false, None, 10).await.unwrap();
        let shown: Vec<_> = open.iter().map(|report| (report.by, report.times)).collect();
        assert_eq!(shown, [(Some(user(7)), 2), (Some(user(7)), 1)]);
        assert_eq!(open[0].about, message(1));

        let first = open[0].report;
        let settled = store.settle_report(first, user(5), "warned", now).await.unwrap().unwrap();
        assert_eq!(settled.settled.unwrap().note, "warned");
        let again = store.settle_report(first, user(6), "banned", now).await.unwrap().unwrap();
        assert_eq!(again.settled.unwrap().by, user(5));
        assert!(store.settle_report(99, user(6), "x", now).await.unwrap().is_none());
        assert_eq!(store.reports(false, None, 10).await.unwrap().len(), 1);
        assert_eq!(store.reports(true, None, 10).await.unwrap().len(), 1);
        assert!(store.reports(false, Some(open[1].report), 10).await.unwrap().is_empty());

        assert_eq!(take(&report(7, message(1))).await, Taken::Taken);
        assert_eq!(store.reports(false, None, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_user_reports_so_much_in_a_day_and_repeating_costs_nothing() {
    each_database(async |store| {
        let take = async |by, seq, now, most| {
            store
                .take_report(&report(by, message(seq)), Timestamp(now), Timestamp(now - 100), most)
                .await
                .unwrap()
        };
        for seq in 1..=3 {
            assert_eq!(take(7, seq, 1_000 + i64::try_from(seq).unwrap(), 3).await, Taken::Taken);
        }
        assert_eq!(take(7, 4, 1_010, 3).await, Taken::TooMany { first: Timestamp(1_001) });
        assert_eq!(take(7, 2, 1_010, 3).await, Taken::Taken);
        assert_eq!(take(8, 4, 1_010, 3).await, Taken::Taken);
        assert_eq!(take(7, 4, 1_101, 3).await, Taken::Taken);
    })
    .await;
}

#[tokio::test]
async fn what_rules_report_is_nobodys_report_and_of_one_user_only_so_much() {
    each_database(async |store| {
        let (now, most) = (Timestamp::now(), 3);
        let take =
            async |report: TakeReport| store.take_report(&report, now, Timestamp(0), most).await.unwrap();
        let by_rule = |seq| TakeReport { by: None, ..report(9, message(seq)) };
        for seq in [1, 2, 3, 3] {
            assert_eq!(take(by_rule(seq)).await, Taken::Taken);
        }
        assert_eq!(take(by_rule(4)).await, Taken::TooMany { first: now });
        // Its author has all of their own reports left.
        for seq in 11..=13 {
            assert_eq!(take(report(3, message(seq))).await, Taken::Taken);
        }
        assert_eq!(take(report(8, message(1))).await, Taken::Taken);
        let open = store.reports(false, None, 10).await.unwrap();
        let shown: Vec<_> = open.iter().map(|report| (report.by, report.times)).collect();
        let by_author = (Some(user(3)), 1);
        assert_eq!(shown, [(None, 2), (None, 1), (None, 1), by_author, by_author, by_author]);
    })
    .await;
}

#[tokio::test]
async fn two_who_report_the_same_at_once_make_one_report() {
    each_database(async |store| {
        let now = Timestamp::now();
        let reports: Vec<_> = (1..=8).map(|by| report(by, Subject::User(user(99)))).collect();
        let takes = reports.iter().map(|report| store.take_report(report, now, Timestamp(0), 20));
        for taken in futures_util::future::join_all(takes).await {
            assert_eq!(taken.unwrap(), Taken::Taken);
        }
        let open = store.reports(false, None, 10).await.unwrap();
        assert_eq!((open.len(), open[0].times), (1, 8));
    })
    .await;
}

fn rule(pattern: &str) -> Rule {
    Rule {
        applies: Applies::Texts,
        pattern: Text::new(pattern).unwrap(),
        then: Then::Refuse,
        words: Text::new("no").unwrap(),
    }
}

#[tokio::test]
async fn each_change_of_the_rules_is_a_version_and_what_changes_nothing_is_none() {
    each_database(async |store| {
        let version = async || store.rules().await.unwrap().0;
        assert_eq!(version().await, 0);
        let id = store.add_rule(&rule("a"), |_| Ok(())).await.unwrap().unwrap();
        assert_eq!(version().await, 1);
        assert!(store.replace_rule(id, &rule("b"), |_| Ok(())).await.unwrap());
        assert!(!store.replace_rule(99, &rule("c"), |_| Ok(())).await.unwrap());
        assert!(!store.remove_rule(99).await.unwrap());
        let (at, rules) = store.rules().await.unwrap();
        assert_eq!((at, rules.len(), &*rules[0].rule.pattern), (2, 1, "b"));
        assert!(store.remove_rule(id).await.unwrap());
        assert_eq!((version().await, store.rules().await.unwrap().1.len()), (3, 0));
        // An id is never used again.
        assert_ne!(store.add_rule(&rule("d"), |_| Ok(())).await.unwrap().unwrap(), id);

        // What the rules must not be together, they never are.
        let refuse = |rules: Vec<_>| Err(Error::invalid(format!("{} rules", rules.len())));
        let unchanged = store.rules().await.unwrap();
        let added = store.add_rule(&rule("e"), refuse).await;
        assert!(matches!(added, Err(Failure::Refused(error)) if error.message == "2 rules"));
        let last = unchanged.1[0].id;
        let replaced = store.replace_rule(last, &rule("e"), refuse).await;
        assert!(matches!(replaced, Err(Failure::Refused(error)) if error.message == "1 rules"));
        assert_eq!(store.rules().await.unwrap(), unchanged);

        store.rules_held("user", 4).await.unwrap();
        store.rules_held("user", 3).await.unwrap();
        assert_eq!(store.rule_holders().await.unwrap()["user"], 4);
    })
    .await;
}
