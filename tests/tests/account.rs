//! Accounts: who may sign in, with what, until when; and what is left of an account that was deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use broker_schemas::message::{self, GetUnread, ListConversations};
use broker_schemas::user::{ChangePassword, DeleteAccount, Login, Register, Resume, Session};
use broker_schemas::{Code, Fetched, Outcome, friend};
use natter_client::{Address, CallError, Client, Event, Update};
use natter_tests::{Backend, Person, Platform, Wire, befriend, on_both_databases};
use serde_json::json;
use tokio::time::timeout;

const ANOTHER_PASSWORD: &str = "another fine passphrase";

async fn register(
    address: &Address,
    name: &str,
    password: &str,
) -> Result<broker_schemas::UserId, CallError> {
    let (client, _events) = Client::connect(address).await.unwrap();
    let (name, password) = (name.try_into().unwrap(), password.try_into().unwrap());
    Ok(client.call(&Register { name, password, display_name: None }).await?.user)
}

async fn sign_in(address: &Address, name: &str, password: &str) -> Result<Session, CallError> {
    let (client, _events) = Client::connect(address).await.unwrap();
    let (name, password) = (name.try_into().unwrap(), password.try_into().unwrap());
    client.call(&Login { name, password, device: None }).await
}

async fn resume(address: &Address, token: &str) -> Result<Session, CallError> {
    let (client, _events) = Client::connect(address).await.unwrap();
    client.call(&Resume { token: token.try_into().unwrap() }).await
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, CallError>, code: Code) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (code, Outcome::Rejected), "{error}");
}

/// Waits for the end of `person`'s session, which must come within 5 s.
async fn ends(person: &mut Person) {
    let over = async { while !matches!(person.update().await, Update::Over(_)) {} };
    timeout(Duration::from_secs(5), over).await.expect("the end of the session within 5 s");
}

async fn delete(person: &Person) {
    let password = Person::password().try_into().unwrap();
    person.chat.call(&DeleteAccount { password }).await.unwrap();
}

on_both_databases! {
    async fn a_new_password_ends_every_other_session_and_the_old_password(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let alice = Person::register(&address, "alice").await;
        let mut phone = Person::sign_in(&platform.websocket().await, "alice").await;
        let mut laptop = Person::sign_in(&address, "alice").await;
        let away = Person::sign_in(&address, "alice").await.session.token;
        let change = |old: &str| {
            ChangePassword { old: old.try_into().unwrap(), new: ANOTHER_PASSWORD.try_into().unwrap() }
        };
        assert_refused(alice.chat.call(&change("a wrong passphrase")).await, Code::Forbidden);
        sign_in(&address, "alice", Person::password()).await.unwrap();

        alice.chat.call(&change(Person::password())).await.unwrap();
        ends(&mut phone).await;
        ends(&mut laptop).await;
        for token in [&phone.session.token, &laptop.session.token, &away] {
            assert_refused(resume(&address, token).await, Code::Unauthenticated);
        }
        assert_refused(sign_in(&address, "alice", Person::password()).await, Code::Unauthenticated);
        assert_eq!(sign_in(&address, "alice", ANOTHER_PASSWORD).await.unwrap().user, alice.user);
        alice.chat.call(&friend::ListFriends {}).await.expect("the session that changed it goes on");
        resume(&address, &alice.chat.token()).await.expect("its token is good");
    }
}

on_both_databases! {
    async fn after_a_logout_its_token_is_void_and_no_other(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let alice = Person::register(&address, "alice").await;
        let mut phone = Person::sign_in(&address, "alice").await;
        let token = phone.chat.token();
        phone.chat.log_out().await.unwrap();
        ends(&mut phone).await;
        assert_refused(resume(&address, &token).await, Code::Unauthenticated);
        resume(&address, &alice.chat.token()).await.unwrap();
    }
}

on_both_databases! {
    async fn a_token_is_good_until_its_successor_was_used(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let first = Person::register(&address, "alice").await.session;
        // Its reply is taken for lost.
        let lost = resume(&address, &first.token).await.unwrap();
        let second = resume(&address, &first.token).await.unwrap();
        // Which is not to say that they grow: each copy of the user module gives out its own.
        let sessions = BTreeSet::from([first.session, lost.session, second.session]);
        assert_eq!(sessions.len(), 3, "one connection has a session");
        assert_ne!(first.token, second.token);

        let third = resume(&address, &second.token).await.unwrap();
        for used in [&first.token, &lost.token] {
            assert_refused(resume(&address, used).await, Code::Unauthenticated);
        }
        resume(&address, &third.token).await.unwrap();
    }
}

on_both_databases! {
    async fn a_deleted_account_leaves_its_words_to_others_and_nothing_to_a_namesake(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        let mut phone = Person::sign_in(&platform.websocket().await, "bob").await;
        befriend(&mut alice, &mut bob).await;
        bob.send(alice.user, "remember me").await.unwrap();
        let (gone, there) = (bob.user, alice.with(&bob));

        let wrong = DeleteAccount { password: ANOTHER_PASSWORD.try_into().unwrap() };
        assert_refused(bob.chat.call(&wrong).await, Code::Forbidden);
        delete(&bob).await;
        ends(&mut phone).await;
        assert_refused(sign_in(&address, "bob", Person::password()).await, Code::Unauthenticated);
        for token in [bob.chat.token(), phone.chat.token()] {
            assert_refused(resume(&address, &token).await, Code::Unauthenticated);
        }
        let (mut removed, mut deleted) = (false, false);
        while !(removed && deleted) {
            match alice.update().await {
                Update::Event(Event::Removed(event)) => removed |= event.user == gone,
                Update::Event(Event::Deleted(event)) => deleted |= event.user == gone,
                _ => {}
            }
        }
        assert!(alice.chat.call(&friend::ListFriends {}).await.unwrap().friends.is_empty());
        assert_eq!(alice.send(gone, "are you there?").await.unwrap_err().outcome(), Outcome::Rejected);
        assert_refused(alice.chat.call(&friend::Request { user: gone }).await, Code::NotFound);

        let namesake = Person::register(&address, "bob").await;
        assert_ne!(namesake.user, gone);
        let Fetched::Available(unread) = &namesake.session.unread else { panic!("{:?}", namesake.session) };
        assert!(unread.is_empty());
        let list = ListConversations { after: None, limit: None };
        assert!(namesake.chat.call(&list).await.unwrap().conversations.is_empty());
        assert!(namesake.chat.call(&GetUnread {}).await.unwrap().conversations.is_empty());
        assert_refused(namesake.chat.history(there, None, 10).await, Code::NotFound);
        let have = broker_schemas::Map::new([(there, 0)].into()).unwrap();
        assert!(namesake.chat.call(&message::Sync { have, revisions: None }).await.unwrap().messages.is_empty());

        let history = alice.chat.history(there, None, 10).await.unwrap();
        let texts: Vec<_> = history.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["remember me"]);
    }
}

on_both_databases! {
    async fn a_deletion_outlives_the_absence_of_whoever_must_learn_of_it(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let gone = bob.user;
        platform.stop("friend").await;
        delete(&bob).await;
        assert_refused(sign_in(&address, "bob", Person::password()).await, Code::Unauthenticated);
        // Whoever has to tell may not remember it in memory alone.
        platform.kill("user").await;
        platform.start("user").await;
        platform.start("friend").await;
        alice.event(|event| matches!(event, Event::Removed(event) if event.user == gone).then_some(())).await;
        assert!(alice.chat.call(&friend::ListFriends {}).await.unwrap().friends.is_empty());
        assert_eq!(alice.send(gone, "are you there?").await.unwrap_err().outcome(), Outcome::Rejected);
    }
}

on_both_databases! {
    async fn who_has_an_account_can_neither_be_found_out_nor_guessed_by_signing_in(backend: Backend) {
        let platform = Platform::standalone_with(backend, &["user.limit_guessing=true"]).await;
        let address = platform.tcp().await;
        register(&address, "alice", Person::password()).await.unwrap();
        register(&address, "bob", Person::password()).await.unwrap();
        let mut answers = Vec::new();
        for name in ["alice", "nobody"] {
            for _ in 0..5 {
                answers.push(sign_in(&address, name, "a wrong passphrase").await.unwrap_err());
            }
        }
        assert_eq!(answers[0].code(), Code::Unauthenticated);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");

        for name in ["alice", "ALICE", "nobody"] {
            let limited = sign_in(&address, name, Person::password()).await.unwrap_err();
            assert_eq!(limited.code(), Code::RateLimited, "{name}: {limited}");
            let wait = limited.retry_after().expect("when to try again");
            assert!(wait > Duration::ZERO && wait <= Duration::from_secs(30), "{wait:?}");
        }
        sign_in(&address, "bob", Person::password()).await.expect("others are let in");
    }
}

on_both_databases! {
    async fn a_name_belongs_to_one_account_whatever_the_case_of_its_letters(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let alice = register(&address, "Alice", Person::password()).await.unwrap();
        for name in ["Alice", "alice", "ALICE"] {
            assert_refused(register(&address, name, ANOTHER_PASSWORD).await, Code::Conflict);
            let session = sign_in(&address, name, Person::password()).await.unwrap();
            assert_eq!((session.user, session.name.as_str()), (alice, "Alice"));
        }
        // Of many who want one name at once, one gets it.
        let all = ["carol", "Carol", "cArol", "caRol", "carOl", "caroL", "CAROL", "CArol"];
        let registered = all.map(|name| register(&address, name, Person::password()));
        let registered = futures_util::future::join_all(registered).await;
        assert_eq!(registered.iter().filter(|result| result.is_ok()).count(), 1, "{registered:?}");
        registered.into_iter().filter(Result::is_err).for_each(|result| assert_refused(result, Code::Conflict));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_whoever_signed_in_last_on_it_and_nobody_once_that_account_is_deleted() {
    let platform = Platform::standalone(Backend::Sqlite).await;
    let address = platform.tcp().await;
    let alice = Person::register(&address, "alice").await;
    let bob = Person::register(&address, "bob").await;
    let mut wire = Wire::connect(&platform.address("tcp").await).await;
    let sign_in = |name: &str| json!({"name": name, "password": Person::password()});
    wire.call(1, "user.login", sign_in("alice")).await;
    wire.call(2, "user.login", sign_in("bob")).await;
    let deleted = wire.call(3, "user.delete_account", json!({"password": Person::password()})).await;
    assert!(deleted["error"].is_null(), "{deleted}");
    let answer = wire.call(4, "friend.list", json!({})).await;
    assert_eq!(answer["error"]["code"], "unauthenticated", "{answer}");
    let again = wire.call(5, "user.login", sign_in("bob")).await;
    assert_eq!(again["error"]["code"], "unauthenticated", "{again}: it was bob's account");
    let other = wire.call(6, "user.login", sign_in("alice")).await;
    assert!(other["error"].is_null(), "{other}");
    drop((alice, bob));
}
