//! Two people talk, and nothing that was acked is lost.

use std::time::Duration;

use broker_schemas::message::{Read, Recipient};
use broker_schemas::{Code, Fetched, Seq, friend, message};
use natter_client::{Event, Update};
use natter_tests::device::draft;
use natter_tests::{Person, Platform, befriend, on_both_databases};
use uuid::Uuid;

on_both_databases! {
    async fn what_was_missed_arrives_in_order_and_once(backend: Backend) {
        let mut platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;

        alice.send(bob.user, "hello").await.unwrap();
        assert_eq!(bob.message().await.text, "hello");
        bob.send(alice.user, "hello yourself").await.unwrap();
        assert_eq!(alice.message().await.text, "hello");
        assert_eq!(alice.message().await.text, "hello yourself");
        assert_eq!(bob.message().await.text, "hello yourself");

        let there = alice.with(&bob);
        let bob = bob.leave();
        for text in ["one", "two", "three"] {
            alice.send(there.peer_of(alice.user).unwrap(), text).await.unwrap();
        }
        let mut bob = bob.back(None).await;
        for text in ["one", "two", "three"] {
            assert_eq!(bob.message().await.text, text);
        }
        bob.expect_silence(Duration::from_millis(300)).await;

        let (alice, bob) = (alice.leave(), bob.leave());
        platform.restart().await;
        let address = platform.tcp().await;
        let (alice, _bob) = (alice.back(Some(&address)).await, bob.back(Some(&address)).await);
        let history = alice.chat.history(there, None, 10).await.unwrap();
        let texts: Vec<_> = history.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["hello", "hello yourself", "one", "two", "three"]);
        let places: Vec<_> = history.iter().map(|entry| entry.seq.get()).collect();
        assert_eq!(places, [1, 2, 3, 4, 5]);
    }
}

on_both_databases! {
    async fn every_session_of_both_sees_the_same(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let mut phone = Person::sign_in(&platform.websocket().await, "ALICE").await;
        assert_eq!(phone.user, alice.user);

        let sent = bob.send(alice.user, "to both of you").await.unwrap();
        assert_eq!((alice.message().await.seq, phone.message().await.seq), (sent.seq, sent.seq));
        let from_phone = phone.send(bob.user, "from the phone").await.unwrap();
        assert_eq!(alice.message().await.seq, from_phone.seq);

        let there = alice.with(&bob);
        phone.chat.call(&Read { conversation: there, seq: sent.seq }).await.unwrap();
        for person in [&mut alice, &mut bob] {
            let read = person.event(|event| if let Event::Read(read) = event { Some(read) } else { None }).await;
            assert_eq!((read.conversation, read.user, read.seq), (there, phone.user, sent.seq));
        }
    }
}

on_both_databases! {
    async fn a_repeated_send_gets_the_first_answer(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let (client_id, to) = (Uuid::now_v7(), Recipient::User(bob.user));
        let send = |text: &str| message::Send { client_id, ..draft(to, text) };
        let first = alice.chat.call(&send("once")).await.unwrap();
        for _ in 0..3 {
            assert_eq!(alice.chat.call(&send("once")).await.unwrap(), first);
        }
        assert_eq!(alice.chat.call(&send("something else")).await.unwrap_err().code(), Code::Conflict);
        assert_eq!(bob.message().await.text, "once");
        bob.expect_silence(Duration::from_millis(300)).await;
    }
}

on_both_databases! {
    async fn only_friends_write_and_a_block_holds_at_once(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        let refused = alice.send(bob.user, "do I know you?").await.unwrap_err();
        assert_eq!(refused.code(), Code::Forbidden);
        befriend(&mut alice, &mut bob).await;
        alice.send(bob.user, "now I do").await.unwrap();

        for round in 0..20 {
            bob.chat.call(&friend::Block { user: alice.user }).await.unwrap();
            let refused = alice.send(bob.user, "after the block").await.unwrap_err();
            assert_eq!(refused.code(), Code::Forbidden, "round {round}");
            bob.chat.call(&friend::Unblock { user: alice.user }).await.unwrap();
            assert_eq!(alice.send(bob.user, "still not friends").await.unwrap_err().code(), Code::Forbidden);
            befriend(&mut alice, &mut bob).await;
            alice.send(bob.user, "friends again").await.unwrap();
        }
        let there = alice.with(&bob);
        let history = bob.chat.history(there, None, 200).await.unwrap();
        assert!(history.iter().all(|entry| entry.text != "after the block"));
        assert_eq!(history.len(), 21);
    }
}

on_both_databases! {
    async fn nobody_else_reads_a_conversation(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        let mut eve = Person::register(&address, "eve").await;
        befriend(&mut alice, &mut bob).await;
        alice.send(bob.user, "between us").await.unwrap();
        let there = alice.with(&bob);
        assert_eq!(eve.chat.history(there, None, 10).await.unwrap_err().code(), Code::NotFound);
        let read = Read { conversation: there, seq: Seq::new(1).unwrap() };
        assert_eq!(eve.chat.call(&read).await.unwrap_err().code(), Code::NotFound);
        let have = broker_schemas::Map::new([(there, 0)].into()).unwrap();
        assert!(eve.chat.call(&message::Sync { have, revisions: None }).await.unwrap().messages.is_empty());
        eve.expect_silence(Duration::from_millis(200)).await;
    }
}

on_both_databases! {
    async fn a_long_absence_comes_back_page_by_page(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let to = bob.user;
        let bob = bob.leave();
        for number in 0..450 {
            alice.send(to, &format!("number {number}")).await.unwrap();
        }
        let mut bob = bob.back(None).await;
        let Fetched::Available(unread) = &bob.session.unread else { panic!("{:?}", bob.session.unread) };
        assert_eq!((unread[0].last_seq, unread[0].read_seq), (450, 0));
        for number in 0..450 {
            assert_eq!(bob.message().await.text, format!("number {number}"));
        }
    }
}

/// Nothing that a client does may be needed to notice an ended session.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_elsewhere_says_so() {
    let platform = Platform::standalone(natter_tests::Backend::Sqlite).await;
    let address = platform.tcp().await;
    let alice = Person::register(&address, "alice").await;
    let mut phone = Person::sign_in(&address, "alice").await;
    let password = |text: &str| text.try_into().unwrap();
    let change = broker_schemas::user::ChangePassword {
        old: password(Person::password()),
        new: password("another fine one"),
    };
    alice.chat.call(&change).await.unwrap();
    while !matches!(phone.update().await, Update::Over(_)) {}
    assert!(alice.chat.call(&friend::ListFriends {}).await.is_ok(), "the session that changed it goes on");
}
