//! Signing in and out, and deliveries.

use std::sync::atomic::Ordering;
use std::time::Duration;

use broker_schemas::delivery::Beat;
use broker_schemas::{Code, Delivery, SessionId, UserId};
use natter_protocol::Encoding;
use serde::Serialize;
use tokio::time::sleep;

use crate::client::{Client, Said, closing, event};
use crate::demo::{Forge, Logout, WhoAmI};
use crate::world::{World, eventually};

#[derive(Serialize)]
struct News {
    text: &'static str,
    number: u32,
}

#[derive(Serialize)]
struct SessionClosed {
    code: &'static str,
    message: &'static str,
}

const NEWS: News = News { text: "hello", number: 300 };

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_reaches_every_session_of_its_user_and_no_other() {
    let world = World::start().await;
    let mut clients = Client::of_all_kinds(world.tcp, world.http).await;
    for (session, client) in (1..).zip(&mut clients) {
        client.login(7, session).await;
    }
    let mut other = Client::tcp(world.tcp, Encoding::Json).await;
    other.login(8, 9).await;
    let mut nobody = Client::tcp(world.tcp, Encoding::Json).await;
    world.push(7, "news", &NEWS).await;
    for client in &mut clients {
        assert_eq!(client.next().await, event(client.encoding, "news", &NEWS));
    }
    assert!(other.hears_nothing().await);
    assert!(nobody.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_published_after_the_sign_in_reply_is_missed() {
    let world = World::start().await;
    for user in 1..=50 {
        let mut client = Client::tcp(world.tcp, Encoding::Json).await;
        client.login(user, user).await;
        world.push(user, "news", &NEWS).await;
        assert_eq!(client.next().await, event(Encoding::Json, "news", &NEWS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sign_out_nothing_is_delivered_and_the_time_to_sign_in_runs_again() {
    let world = World::with(|settings| settings.sign_in_timeout_ms = 1_500).await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    assert_eq!(client.call(2, "user.logout", &Logout {}).await, Said::Ok(2, b"{}".to_vec()));
    world.push(7, "news", &NEWS).await;
    assert!(client.hears_nothing().await);
    assert_eq!(client.call(3, "user.whoami", &WhoAmI {}).await, Said::Error(3, Code::Unauthenticated));
    client.login(7, 2).await;
    world.push(7, "news", &NEWS).await;
    assert_eq!(client.next().await, event(Encoding::Json, "news", &NEWS));
    client.call(4, "user.logout", &Logout {}).await;
    assert_eq!(client.next().await, closing("sign_in_timeout"));
    eventually("the sessions are reported", || world.demo.closed.lock().unwrap().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_one_by_one_or_all_but_one() {
    let world = World::start().await;
    let mut clients = Vec::new();
    for session in 1..=3 {
        let mut client = Client::tcp(world.tcp, Encoding::Binary).await;
        client.login(7, session).await;
        clients.push(client);
    }
    let session = |number| Some(SessionId::new(number).unwrap());
    let close = |only, except| Delivery::Close { only, except, code: "why".into(), message: "words".into() };
    let why = event(Encoding::Binary, "session.closed", &SessionClosed { code: "why", message: "words" });

    world.deliver(7, &close(session(2), None)).await;
    assert_eq!(clients[1].next().await, why);
    assert_eq!(clients[1].next().await, closing("session_ended"));
    assert_eq!(clients[1].next().await, Said::Nothing);
    world.deliver(7, &close(None, session(1))).await;
    assert_eq!(clients[2].next().await, why);
    assert!(clients[0].hears_nothing().await);
    world.deliver(7, &close(None, None)).await;
    assert_eq!(clients[0].next().await, why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_resumed_elsewhere_moves() {
    let world = World::start().await;
    let mut old = Client::tcp(world.tcp, Encoding::Json).await;
    old.login(7, 1).await;
    let mut new = Client::websocket(world.http, Encoding::Json).await;
    new.login(7, 1).await;
    assert!(matches!(old.next().await, Said::Event(name, _) if name == "session.closed"));
    assert_eq!(old.next().await, closing("session_ended"));
    assert_eq!(old.next().await, Said::Nothing);
    world.push(7, "news", &NEWS).await;
    assert_eq!(new.next().await, event(Encoding::Json, "news", &NEWS));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(world.demo.closed.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sign_in_too_many_closes_the_oldest() {
    let world = World::with(|settings| settings.max_connections_per_user = 2).await;
    let mut clients = Vec::new();
    for session in 1..=3 {
        let mut client = Client::tcp(world.tcp, Encoding::Json).await;
        client.login(7, session).await;
        clients.push(client);
    }
    assert!(matches!(clients[0].next().await, Said::Event(name, _) if name == "session.closed"));
    assert_eq!(clients[0].next().await, closing("too_many_connections"));
    assert!(clients[1].hears_nothing().await);
    eventually("the closed one is reported", || {
        *world.demo.closed.lock().unwrap() == [SessionId::new(1).unwrap()]
    })
    .await;
    eventually("two are open", || world.demo.open.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_the_user_module_did_not_sign_is_refused() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    let forge = Forge { user: UserId::new(7).unwrap() };
    assert_eq!(client.call(1, "user.forge", &forge).await, Said::Error(1, Code::Internal));
    world.push(7, "news", &NEWS).await;
    assert!(client.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passport_is_renewed_before_it_expires() {
    let world = World::start().await;
    world.demo.valid_for_ms.store(3_000, Ordering::SeqCst);
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    while world.demo.renewals.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(matches!(client.call(2, "user.whoami", &WhoAmI {}).await, Said::Ok(2, _)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_renewed_ends() {
    let world = World::start().await;
    world.demo.valid_for_ms.store(600, Ordering::SeqCst);
    world.demo.refuse_renewals.store(true, Ordering::SeqCst);
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    assert!(matches!(client.next().await, Said::Event(name, _) if name == "session.closed"));
    assert_eq!(client.next().await, closing("session_ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_module_can_ask_for_all_renewals() {
    let world = World::start().await;
    let mut clients = Vec::new();
    for user in 1..=5 {
        let mut client = Client::tcp(world.tcp, Encoding::Json).await;
        client.login(user, user).await;
        clients.push(client);
    }
    world.demo.ask_to_renew_all.store(true, Ordering::SeqCst);
    eventually("all are renewed", || world.demo.renewals.load(Ordering::SeqCst) == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_delivery_was_lost_before_it_came_here_clients_are_told_to_catch_up() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    // The edge has heard by then who delivers.
    sleep(2 * Beat::EVERY).await;
    world.fail_to_deliver(7).await;
    assert_eq!(client.next().await, Said::Event("session.resync".into(), b"{}".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_bus_broke_clients_stay_and_are_told_to_catch_up() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    world.kill_bus();
    let resync = Said::Event("session.resync".into(), b"{}".to_vec());
    assert_eq!(client.next().await, resync);
    world.push(7, "news", &NEWS).await;
    // Those who deliver were cut off, too, and may have been back later than this edge: once more, then.
    let mut said = client.next().await;
    while said == resync {
        said = client.next().await;
    }
    assert_eq!(said, event(Encoding::Json, "news", &NEWS));
    eventually("the session is checked", || world.demo.renewals.load(Ordering::SeqCst) >= 1).await;
}
