//! Roles, bans, who is found, and the platform's own account.

use broker_schemas::admin::{EdgeSessions, Span};
use broker_schemas::caller::Role;
use broker_schemas::user::{Census, FindUsers, STAFF_MAX};
use broker_schemas::{Code, List};
use natter_host::{Failure, Result};

use super::*;
use crate::ban::Ban;

fn ban(until: Option<Timestamp>) -> Ban {
    Ban { reason: "spam".into(), until }
}

/// A sign-in with the right password.
async fn try_sign_in(store: &Store, user: UserId) -> Result<Option<OpenSession>> {
    let token = Token::generate().unwrap().hash();
    let new = NewSession {
        user,
        password: "hash",
        device: "",
        origin: &Origin::of(None),
        edge: None,
        token: &token,
        expires_at: later(),
        most: 20,
    };
    store.open_session(&new).await
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> broker_schemas::Error {
    match result {
        Err(Failure::Refused(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn everyone() -> FindUsers {
    FindUsers { among: None, signed_up: Span::default(), last_seen: Span::default(), after: None, limit: 7 }
}

/// Every page, one after the other.
async fn pages(store: &Store, request: &FindUsers) -> Vec<UserId> {
    let (mut all, mut request) = (Vec::new(), request.clone());
    loop {
        let page = store.find_users(&request, now()).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= request.limit as usize);
        request.after = page.last().copied();
        all.extend(page);
    }
    let count = store.count_found(&FindUsers { after: None, ..request }, now()).await.unwrap();
    assert_eq!(count, all.len() as u64);
    all
}

#[tokio::test]
async fn a_ban_ends_every_session_and_a_sign_in_learns_why_until_it_is_lifted() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let token = Token::generate().unwrap().hash();
        let open = SignIn { token: token.clone(), edge: Some(&a), ..SignIn::default() };
        let session = open.of(&store, alice).await.unwrap().session;
        assert_eq!(store.ban(alice, &ban(None)).await.unwrap(), Some(offline(alice)));
        assert_eq!(store.ban(alice, &ban(None)).await.unwrap(), Some(vec![]), "twice is once");

        assert_eq!(renew(&store, alice, session, &a).await, None);
        let next = Token::generate().unwrap().hash();
        assert_eq!(store.resume_session(&token, &next, later(), Some(&a)).await.unwrap(), None);
        let error = refusal(try_sign_in(&store, alice).await);
        assert_eq!(error.code, Code::Forbidden);
        assert_eq!(error.message, "you are banned for good: spam");
        assert_eq!(store.attached_sessions().await.unwrap(), 0);

        // A shorter one in its place.
        store.ban(alice, &ban(Some(later()))).await.unwrap();
        assert!(refusal(try_sign_in(&store, alice).await).message.starts_with("you are banned until "));
        store.ban(alice, &ban(Some(Timestamp(now().0 - 1)))).await.unwrap();
        assert!(try_sign_in(&store, alice).await.unwrap().is_some(), "its end has come");

        store.ban(alice, &ban(None)).await.unwrap();
        assert_eq!(store.lift_ban(alice).await.unwrap(), Some(()));
        assert!(try_sign_in(&store, alice).await.unwrap().is_some());
        let nobody = UserId::new(999).unwrap();
        assert_eq!(store.ban(nobody, &ban(None)).await.unwrap(), None);
        assert_eq!(store.lift_ban(nobody).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_at_the_moment_of_a_ban_does_not_survive_it() {
    each_database(async |store| {
        for round in 0..20 {
            let alice = account(&store, &format!("alice{round}")).await;
            let forever = ban(None);
            let (open, banned) = tokio::join!(try_sign_in(&store, alice), store.ban(alice, &forever));
            assert!(banned.unwrap().is_some());
            if let Ok(open) = open {
                let session = open.unwrap().session;
                assert!(store.renew_session(alice, session, None).await.unwrap().is_none());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn ended_sessions_are_gone_and_a_new_one_may_begin() {
    each_database(async |store| {
        let (alice, bob, a) = (account(&store, "alice").await, account(&store, "bob").await, edge("a"));
        let mine = sign_in(&store, alice, Some(&a)).await.session;
        let other = sign_in(&store, bob, Some(&a)).await.session;
        assert_eq!(store.end_sessions(alice).await.unwrap(), Some(offline(alice)));
        assert_eq!(store.end_sessions(alice).await.unwrap(), Some(vec![]));
        assert_eq!(renew(&store, alice, mine, &a).await, None);
        assert!(renew(&store, bob, other, &a).await.is_some());
        assert_eq!(sign_in(&store, alice, Some(&a)).await.presence, online(alice));
        assert_eq!(store.end_sessions(UserId::new(999).unwrap()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_role_counts_from_the_next_passport_on_and_taking_it_ends_the_sessions() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "Alice").await, edge("a"));
        let token = Token::generate().unwrap().hash();
        let open = SignIn { token: token.clone(), edge: Some(&a), ..SignIn::default() };
        let open = open.of(&store, alice).await.unwrap();
        assert!(open.roles.is_empty());
        for _ in 0..2 {
            assert!(store.give_role(alice, Role::Moderator).await.unwrap());
        }
        assert!(store.give_role(alice, Role::Auditor).await.unwrap());
        let both = [Role::Auditor, Role::Moderator];
        let renewed = store.renew_session(alice, open.session, Some(&a)).await.unwrap().unwrap();
        assert_eq!(renewed.roles, both);
        assert_eq!(sign_in(&store, alice, None).await.roles, both);
        let next = Token::generate().unwrap().hash();
        let resumed = store.resume_session(&token, &next, later(), Some(&a)).await.unwrap().unwrap();
        assert_eq!(resumed.roles, both);
        let staff = store.staff().await.unwrap();
        assert_eq!((staff.len(), staff[0].user, &*staff[0].name), (1, alice, "Alice"));
        assert_eq!(staff[0].roles, both);

        let taken = store.take_role(alice, Role::Operator).await.unwrap().unwrap();
        assert_eq!((taken.had_it, taken.presence), (false, vec![]), "nothing to take, so nobody is put out");
        let taken = store.take_role(alice, Role::Moderator).await.unwrap().unwrap();
        assert_eq!((taken.had_it, taken.presence), (true, offline(alice)));
        assert_eq!(renew(&store, alice, resumed.session, &a).await, None);
        assert_eq!(sign_in(&store, alice, None).await.roles, [Role::Auditor]);
        let nobody = UserId::new(999_999).unwrap();
        assert!(!store.give_role(nobody, Role::Operator).await.unwrap());
        assert_eq!(store.take_role(nobody, Role::Operator).await.unwrap(), None);
        store.delete_account(alice, "hash").await.unwrap();
        assert!(store.staff().await.unwrap().is_empty(), "who is gone has no role");
    })
    .await;
}

#[tokio::test]
async fn roles_have_an_end_so_that_their_list_has_one() {
    each_database(async |store| {
        let alice = account(&store, "alice").await;
        let mut transaction = store.database.begin().await.unwrap();
        for id in 1_000..1_000 + i64::try_from(STAFF_MAX).unwrap() {
            for sql in [
                "INSERT INTO account (id, name, name_key, display_name, password, online, created_at) \
                 VALUES ($1, $2, $2, $2, '', 0, 0)",
                "INSERT INTO staff (account, role) VALUES ($1, CASE WHEN $2 = '' THEN '' ELSE 'auditor' END)",
            ] {
                query(sql).bind(id).bind(format!("user{id}")).execute(&mut *transaction).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
        let error = refusal(store.give_role(alice, Role::Operator).await);
        assert_eq!(error.code, Code::Conflict);
        let one = UserId::new(1_000).unwrap();
        assert!(store.give_role(one, Role::Operator).await.unwrap(), "who has one gets another");
    })
    .await;
}

#[tokio::test]
async fn pages_of_everyone_have_each_user_once_but_not_the_banned_nor_the_platform() {
    each_database(async |store| {
        let mut users = Vec::new();
        for number in 0..23 {
            users.push(account(&store, &format!("user{number}")).await);
            if number == 10 {
                store.system_account("Natter").await.unwrap();
            }
        }
        assert_eq!(pages(&store, &everyone()).await, users);
        store.ban(users[3], &ban(None)).await.unwrap();
        store.ban(users[4], &ban(Some(Timestamp(now().0 - 1)))).await.unwrap();
        let banned = users.remove(3);
        assert_eq!(pages(&store, &everyone()).await, users, "{banned} is kept out");
        let after = FindUsers { after: Some(users[20]), ..everyone() };
        assert_eq!(store.count_found(&after, now()).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn among_those_who_are_named_only_people_who_may_be_written_to_are_found_and_each_once() {
    each_database(async |store| {
        let mut users = Vec::new();
        for number in 0..20 {
            users.push(account(&store, &format!("user{number}")).await);
        }
        let natter = store.system_account("Natter").await.unwrap().unwrap();
        store.ban(users[3], &ban(None)).await.unwrap();
        store.delete_account(users[4], "hash").await.unwrap();
        let nobody = UserId::new(999_999).unwrap();
        let among = async |named: &[UserId]| {
            let named = Some(List::new(named.to_vec()).unwrap());
            pages(&store, &FindUsers { among: named, ..everyone() }).await
        };
        let named = [&[users[9], natter, nobody, users[9]], &users[..9]].concat();
        let expected = [&users[..3], &users[5..10]].concat();
        assert_eq!(among(&named).await, expected);
        assert!(among(&[]).await.is_empty(), "nobody is not everybody");
        assert!(among(&[natter, nobody, users[3]]).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn users_are_found_by_when_they_signed_up_and_when_they_were_last_seen() {
    each_database(async |store| {
        let (alice, bob, a) = (account(&store, "alice").await, account(&store, "bob").await, edge("a"));
        let set = async |user: UserId, created: i64, seen: i64| {
            query("UPDATE account SET created_at = $2, last_seen_at = $3 WHERE id = $1")
                .bind(i64::from(user))
                .bind(created)
                .bind(seen)
                .execute(store.database.write())
                .await
                .unwrap();
        };
        set(alice, 1_000, 2_000).await;
        set(bob, 2_000, 3_000).await;
        let span =
            |from: Option<i64>, to: Option<i64>| Span { from: from.map(Timestamp), to: to.map(Timestamp) };
        let signed_up =
            async |from, to| pages(&store, &FindUsers { signed_up: span(from, to), ..everyone() }).await;
        let seen =
            async |from, to| pages(&store, &FindUsers { last_seen: span(from, to), ..everyone() }).await;
        assert_eq!(signed_up(Some(1_000), Some(2_000)).await, [alice]);
        assert_eq!(signed_up(Some(1_001), None).await, [bob]);
        assert_eq!(seen(None, Some(3_000)).await, [alice]);
        assert_eq!(seen(Some(2_000), Some(3_001)).await, [alice, bob]);

        // Who is online is seen now, however long ago they came; who went was seen going.
        let recently = now().0 - 60_000;
        let open = sign_in(&store, alice, Some(&a)).await;
        set(alice, 1_000, 2_000).await;
        assert_eq!(seen(Some(recently), None).await, [alice]);
        assert_eq!(seen(None, Some(recently)).await, [bob]);
        store.close_session(alice, open.session).await.unwrap();
        assert_eq!(seen(Some(recently), None).await, [alice]);
        // A sign-in without an edge, and what an edge that is gone leaves behind.
        sign_in(&store, bob, None).await;
        assert_eq!(seen(Some(recently), None).await, [alice, bob]);
        sign_in(&store, bob, Some(&a)).await;
        set(bob, 2_000, 3_000).await;
        let gone = store.edges().await.unwrap().remove(0);
        assert_eq!(store.give_up(&gone).await.unwrap(), offline(bob));
        assert_eq!(seen(Some(recently), None).await, [alice, bob]);
    })
    .await;
}

#[tokio::test]
async fn the_platforms_account_is_one_whom_nobody_is() {
    each_database(async |store| {
        let (one, other) = tokio::join!(store.system_account("Natter"), store.system_account("Natter"));
        let natter = one.unwrap().unwrap();
        assert_eq!(other.unwrap(), Some(natter));
        assert_eq!(store.system_account("Bees").await.unwrap(), Some(natter));
        let profile = store.find("natter").await.unwrap().unwrap();
        assert_eq!((profile.user, &*profile.name, &*profile.display_name), (natter, "natter", "Bees"));

        assert!(store.is_taken("natter").await.unwrap());
        assert!(store.credentials("natter", &Origin::of(None)).await.unwrap().is_none());
        assert_eq!(store.known_system_account().await.unwrap(), Some(natter));
        assert_eq!(store.ban(natter, &ban(None)).await.unwrap(), None);
        assert_eq!(store.end_sessions(natter).await.unwrap(), None);
        assert!(!store.give_role(natter, Role::Operator).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_user_who_has_the_platforms_name_keeps_it() {
    each_database(async |store| {
        let natter = account(&store, "Natter").await;
        assert_eq!(store.system_account("Natter").await.unwrap(), None);
        assert_eq!(store.known_system_account().await.unwrap(), None, "it is no account of the platform's");
        assert_eq!(store.find("natter").await.unwrap().unwrap().user, natter);
        assert!(store.credentials("natter", &Origin::of(None)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_census_counts_people_and_sessions_by_edge() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        account(&store, "carol").await;
        store.system_account("Natter").await.unwrap();
        let (a, b) = (edge("a"), edge("b"));
        for (user, edge) in [(alice, Some(&a)), (alice, Some(&b)), (bob, Some(&b)), (bob, None)] {
            sign_in(&store, user, edge).await;
        }
        let edges = [(a, 1), (b, 2)].map(|(edge, sessions)| EdgeSessions { edge, sessions }).to_vec();
        assert_eq!(store.census().await.unwrap(), Census { accounts: 3, online: 2, edges });
    })
    .await;
}
