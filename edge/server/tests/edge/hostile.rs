//! Clients that break rules or take without giving.

use std::time::Duration;

use axum::http::StatusCode;
use natter_protocol::{Encoding, MAX_CLIENT_FRAME};
use tokio::time::{Instant, sleep};

use crate::client::{Client, Said, closing, echo};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_large_is_refused_before_it_has_come() {
    let world = World::start().await;
    let mut json = Client::tcp(world.tcp, Encoding::Json).await;
    json.write(&vec![b'{'; MAX_CLIENT_FRAME + 2]).await;
    assert_eq!(json.next().await, closing("frame_too_large"));
    assert_eq!(json.next().await, Said::Nothing);

    let mut binary = Client::tcp(world.tcp, Encoding::Binary).await;
    binary.write(&u32::MAX.to_be_bytes()).await;
    assert_eq!(binary.next().await, closing("frame_too_large"));

    for encoding in [Encoding::Json, Encoding::Binary] {
        let mut websocket = Client::websocket(world.http, encoding).await;
        websocket.write(&vec![b'{'; MAX_CLIENT_FRAME + 1]).await;
        // Before its first whole message, a client is taken for one of JSON.
        assert_eq!(websocket.next().await, closing("frame_too_large"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_frame_passes() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Binary).await;
    let text = "x".repeat(MAX_CLIENT_FRAME - 100);
    assert!(matches!(client.call(1, "user.echo", &echo(&text, 0)).await, Said::Ok(1, _)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_told_which_ones_there_are() {
    let world = World::start().await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.write(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.next().await, closing("unknown_protocol"));
    assert_eq!(client.next().await, Said::Nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_a_byte_and_wait_are_cut_while_others_are_served() {
    let world = World::with(|settings| {
        settings.max_connections_per_address = 0;
        settings.sign_in_timeout_ms = 2_000;
    })
    .await;
    let mut idlers = Vec::new();
    for _ in 0..500 {
        let mut idler = Client::tcp(world.tcp, Encoding::Json).await;
        idler.write(b"{").await;
        idlers.push(idler);
    }
    let started = Instant::now();
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    for mut idler in idlers {
        assert_eq!(idler.next().await, closing("sign_in_timeout"));
        assert_eq!(idler.next().await, Said::Nothing);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(matches!(client.call(2, "user.echo", &echo("", 0)).await, Said::Ok(2, _)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_never_ends_and_a_silent_http_client_are_cut() {
    let world = World::with(|settings| settings.sign_in_timeout_ms = 1_000).await;
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(7, 1).await;
    let mut silent = Client::tcp(world.http, Encoding::Json).await;
    silent.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n").await;
    for _ in 0..15 {
        client.write(b"{").await;
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.next().await, closing("frame_timeout"));
    assert_eq!(silent.next().await, Said::Nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections() {
    let world = World::with(|settings| settings.max_connections_per_address = 2).await;
    let mut first = Client::tcp(world.tcp, Encoding::Json).await;
    first.login(7, 1).await;
    let _second = Client::websocket(world.http, Encoding::Json).await;
    let mut third = Client::tcp(world.tcp, Encoding::Json).await;
    assert_eq!(third.next().await, closing("too_many_connections"));
    assert_eq!(third.next().await, Said::Nothing);
    drop(first);
    let begun = Instant::now();
    loop {
        let mut next = Client::tcp(world.tcp, Encoding::Json).await;
        if next.hears_nothing().await {
            next.login(7, 2).await;
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the place is not free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_from_elsewhere_may_not_open_a_websocket() {
    let world = World::with(|settings| settings.allowed_origins = vec!["https://chat.example".into()]).await;
    for (origin, status) in [
        (format!("http://{}", world.http), StatusCode::SWITCHING_PROTOCOLS),
        ("https://chat.example".into(), StatusCode::SWITCHING_PROTOCOLS),
        ("https://evil.example".into(), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(Client::upgrade_from(world.http, &origin).await, status, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_and_holds_nobody_up() {
    // The last of the clients signs in once the others had their turn.
    let world = World::with(|settings| settings.sign_in_timeout_ms = 60_000).await;
    for mut slow in Client::of_all_kinds(world.tcp, world.http).await {
        slow.login(7, 1).await;
        let mut other = Client::tcp(world.tcp, Encoding::Json).await;
        other.login(7, 2).await;
        let mut worst = Duration::ZERO;
        let text = "x".repeat(100_000);
        for _ in 0..150 {
            let pushed = Instant::now();
            world.push(7, "news", &text).await;
            assert!(matches!(other.next().await, Said::Event(..)));
            worst = worst.max(pushed.elapsed());
        }
        assert!(worst < Duration::from_secs(1), "{worst:?}");
        sleep(Duration::from_millis(1_500)).await;
        // What the kernels hold can still be read; then it ends, with a reason if that could still be written.
        let mut read = 0;
        loop {
            match slow.next().await {
                Said::Event(..) => read += 1,
                Said::Closing(code) => assert_eq!(code, "slow_consumer"),
                Said::Nothing => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(read < 150, "{read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_that_answers_no_ping_is_closed() {
    let world = World::with(|settings| {
        settings.ping_after_ms = 400;
        settings.pong_within_ms = 3_000;
    })
    .await;
    let mut client = Client::websocket(world.http, Encoding::Json).await;
    client.login(7, 1).await;
    let mut reader = Client::websocket(world.http, Encoding::Json).await;
    reader.login(8, 2).await;
    let started = Instant::now();
    // The library answers pings while it reads.
    while started.elapsed() < Duration::from_secs(5) {
        assert!(reader.hears_nothing().await);
    }
    assert_eq!(client.next().await, closing("unresponsive"));
}
