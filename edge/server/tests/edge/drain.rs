//! How the edge stops.

use std::time::Duration;

use broker_schemas::SessionId;
use natter_protocol::Encoding;
use tokio::time::{Instant, sleep};

use crate::client::{Client, Said, closing, echo};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn open_calls_are_answered_before_the_edge_stops() {
    let world = World::start().await;
    let mut clients = Client::of_all_kinds(world.tcp, world.http).await;
    for (session, client) in (1..).zip(&mut clients) {
        client.login(7, session).await;
        client.begin(2, "user.echo", &echo("", 1_500)).await;
    }
    let mut idle = Client::tcp(world.tcp, Encoding::Binary).await;
    sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    let read = async {
        assert_eq!(idle.next().await, closing("server_stopping"));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        for client in &mut clients {
            assert!(matches!(client.next().await, Said::Ok(2, _)));
            assert_eq!(client.next().await, closing("server_stopping"));
            assert_eq!(client.next().await, Said::Nothing);
        }
    };
    let (demo, ()) = tokio::join!(world.stop_edge(), read);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let mut closed = demo.closed.lock().unwrap().clone();
    closed.sort_unstable();
    assert_eq!(closed, [1, 2, 3, 4].map(|number| SessionId::new(number).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_never_answered_holds_the_stop_up_for_a_bounded_time() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.begin(1, "user.echo", &echo("", 60_000)).await;
    // The service gives up after 5 s, the stop no later than after 5 s and the goodbye.
    let started = Instant::now();
    sleep(Duration::from_millis(100)).await;
    world.stop_edge().await;
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}
