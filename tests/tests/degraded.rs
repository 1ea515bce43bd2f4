//! With a part down, the rest goes on, and callers learn what happened.

use std::time::Duration;

use broker_schemas::{Fetched, Outcome, friend};
use natter_tests::{Person, Platform, befriend, on_both_databases};
use tokio::time::Instant;

on_both_databases! {
    async fn sign_in_goes_on_without_the_friend_module(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        alice.send(bob.user, "before").await.unwrap();

        platform.stop("friend").await;
        let started = Instant::now();
        let phone = Person::sign_in(&address, "alice").await;
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        let Fetched::Unavailable { message, .. } = &phone.session.friends else {
            panic!("{:?}", phone.session.friends);
        };
        assert!(!message.is_empty());
        assert!(matches!(phone.session.unread, Fetched::Available(_)));
        let error = phone.chat.call(&friend::ListFriends {}).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        // Friends go on talking: whether they may stands in the message module's own tables.
        phone.send(bob.user, "meanwhile").await.unwrap();
        assert_eq!(bob.message().await.text, "before");
        assert_eq!(bob.message().await.text, "meanwhile");

        platform.start("friend").await;
        let deadline = Instant::now() + Duration::from_secs(10);
        let friends = loop {
            match phone.chat.call(&friend::ListFriends {}).await {
                Ok(friends) => break friends,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        assert_eq!(friends.friends.len(), 1);
    }
}
