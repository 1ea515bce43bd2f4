//! A session is on one connection: on the one where it was last opened or resumed.

use std::time::Duration;

use broker_schemas::user::{Resume, Session};
use broker_schemas::{Outcome, friend};
use natter_client::{Address, Client, Update};
use natter_tests::{Person, Platform, Wire, on_both_databases};
use serde_json::json;
use tokio::time::timeout;

async fn resume(address: &Address, token: &str) -> (Client, Session) {
    let (client, _events) = Client::connect(address).await.unwrap();
    let session = client.call(&Resume { token: token.try_into().unwrap() }).await.unwrap();
    (client, session)
}

on_both_databases! {
    async fn a_session_that_is_resumed_on_another_edge_ends_at_once_where_it_was(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        platform.start("edge2").await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        let mut there = Person::register(&first, "alice").await;
        let other_device = Person::sign_in(&first, "alice").await;
        let (here, session) = resume(&second, &there.chat.token()).await;
        let over = async {
            loop {
                if let Update::Over(why) = there.update().await {
                    break why;
                }
            }
        };
        let why = timeout(Duration::from_secs(5), over).await.expect("it ends without waiting for a renewal");
        assert!(format!("{why:?}").contains("resumed"), "{why:?}");
        here.call(&friend::ListFriends {}).await.expect("the session goes on here");
        other_device.chat.call(&friend::ListFriends {}).await.expect("and no other one has ended");

        // A reply that got lost: the same token again, and what it had opened ends.
        let (again, _) = resume(&first, &session.token).await;
        let (last, _) = resume(&second, &session.token).await;
        last.call(&friend::ListFriends {}).await.unwrap();
        let ended = async {
            while again.call(&friend::ListFriends {}).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(5), ended).await.expect("one connection has it");
        let error = here.call(&friend::ListFriends {}).await.unwrap_err();
        assert_ne!(error.outcome(), Outcome::Unknown, "{error}");
    }
}

on_both_databases! {
    async fn a_session_that_is_resumed_on_its_own_connection_stays_there(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let _gone = Person::register(&address, "alice").await.leave();
        let mut wire = Wire::connect(&platform.address("tcp").await).await;
        let password = Person::password();
        let login = json!({ "name": "alice", "password": password });
        let mut session = wire.call(1, "user.login", login).await["ok"].clone();
        for id in 2..5 {
            let resume = json!({ "token": session["token"] });
            let resumed = wire.call(id, "user.resume", resume).await;
            assert!(resumed["ok"].is_object(), "{resumed}");
            session = resumed["ok"].clone();
        }
        // Whatever is on its way to end the session would have come by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let listed = wire.call(9, "friend.list", json!({})).await;
        assert!(listed["ok"].is_object(), "{listed}");
    }
}
