//! Calls through the edge.

use broker_schemas::Code;
use natter_protocol::{ClientFrame, Encoding};
use tokio::time::Instant;

use crate::client::{Client, Said, closing, echo, login};
use crate::demo::{Echo, WhoAmI};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_through_over_every_transport_in_every_encoding() {
    let world = World::start().await;
    for mut client in Client::of_all_kinds(world.tcp, world.http).await {
        let request = echo("früh \"am\" Morgen\n", 0);
        let Said::Ok(7, body) = client.call(7, "user.echo", &request).await else { panic!("no reply") };
        assert_eq!(client.read::<Echo>(&body), request);
        client.login(7, 1).await;
        let Said::Ok(8, body) = client.call(8, "user.whoami", &WhoAmI {}).await else { panic!("no reply") };
        assert_eq!(client.read::<crate::demo::Login>(&body), login(7, 1));
        client.send(&ClientFrame::Ping { id: 9 }).await;
        assert_eq!(client.next().await, Said::Pong(9));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_called_is_told_apart() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    assert_eq!(client.call(1, "user.whoami", &WhoAmI {}).await, Said::Error(1, Code::Unauthenticated));
    assert_eq!(client.call(2, "nobody.home", &WhoAmI {}).await, Said::Error(2, Code::Unavailable));
    assert_eq!(client.call(3, "user.>", &WhoAmI {}).await, Said::Error(3, Code::Invalid));
    assert_eq!(client.call(4, "user.echo", &WhoAmI {}).await, Said::Error(4, Code::Invalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_in_order_before_sign_in_and_as_they_are_ready_after_it() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Binary).await;
    let order = async |client: &mut Client| {
        for id in 1..=3 {
            client.begin(id, "user.echo", &echo("", 2_400 - 800 * u32::try_from(id).unwrap())).await;
        }
        let mut order = Vec::new();
        for _ in 1..=3 {
            let Said::Ok(id, _) = client.next().await else { panic!("no reply") };
            order.push(id);
        }
        order
    };
    assert_eq!(order(&mut client).await, [1, 2, 3]);
    client.login(7, 1).await;
    assert_eq!(order(&mut client).await, [3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_so_many_calls_open_and_the_next_ones_wait() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Binary).await;
    client.login(7, 1).await;
    let started = Instant::now();
    for id in 1..=64 {
        client.begin(id, "user.echo", &echo("", 300)).await;
    }
    for _ in 1..=64 {
        assert!(matches!(client.next().await, Said::Ok(..)));
    }
    let took = started.elapsed();
    assert!((600..4_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_open_is_refused_and_the_open_call_is_still_answered() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    client.begin(5, "user.echo", &echo("first", 2_000)).await;
    assert_eq!(client.call(5, "user.echo", &echo("second", 0)).await, Said::Error(5, Code::Invalid));
    let Said::Ok(5, body) = client.next().await else { panic!("no reply") };
    assert_eq!(client.read::<Echo>(&body).text, "first".try_into().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_are_answered_and_ten_are_enough() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    for _ in 1..=9 {
        client.write(b"{\"id\":4,\"cal\":\"user.echo\"}\n").await;
        assert_eq!(client.next().await, Said::Error(4, Code::Invalid));
    }
    client.write(b"{nonsense\n").await;
    assert_eq!(client.next().await, Said::Error(0, Code::Invalid));
    assert_eq!(client.next().await, closing("bad_frames"));
    assert_eq!(client.next().await, Said::Nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_reads_any_more_gets_its_answer() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.begin(1, "user.echo", &echo("last", 100)).await;
    client.end_input().await;
    assert!(matches!(client.next().await, Said::Ok(1, _)));
    assert_eq!(client.next().await, Said::Nothing);
}
