//! Bad input gets a clear error, and the server goes on unharmed.

use std::time::Duration;

use natter_client::Address;
use natter_tests::{Backend, Person, Platform, Wire, befriend};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

/// The sign of an unharmed server: a newcomer registers and reads a profile.
async fn assert_unharmed(address: &Address, name: &str) {
    let started = Instant::now();
    let person = Person::register(address, name).await;
    person.chat.call(&broker_schemas::user::GetProfile { user: None }).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

async fn platform() -> (Platform, Address, String) {
    let platform = Platform::standalone(Backend::Sqlite).await;
    let (address, place) = (platform.tcp().await, platform.address("tcp").await);
    (platform, address, place)
}

async fn closing_code(wire: &mut Wire) -> String {
    loop {
        let frame = wire.hear().await.expect("a closing frame");
        if let Some(code) = frame["closing"]["code"].as_str() {
            assert!(frame["closing"]["message"].as_str().is_some_and(|message| !message.is_empty()));
            assert!(wire.hear().await.is_none(), "nothing follows");
            return code.to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_answered_in_words_and_the_connection_goes_on() {
    let (_platform, address, place) = platform().await;
    let mut wire = Wire::connect(&place).await;
    wire.write(b"{\"id\":1,\"call\"\n").await;
    let frame = wire.hear().await.unwrap();
    assert_eq!((&frame["id"], &frame["error"]["code"]), (&json!(0), &json!("invalid")));
    let cases = [
        (json!({"id": 2, "call": "user.nosuch"}), "unavailable", "nosuch"),
        (json!({"id": 3, "call": "../../etc"}), "invalid", "service.method"),
        (json!({"id": 4, "call": "user.login", "body": {"name": "alice"}}), "invalid", "password"),
        (
            json!({"id": 5, "call": "user.login", "body": {"name": 7, "password": "x"}}),
            "invalid",
            "body.name",
        ),
        (
            json!({"id": 6, "call": "user.login", "body": {"name": "a", "password": "b", "x": 1}}),
            "invalid",
            "`x`",
        ),
        (json!({"id": 7, "call": "friend.list"}), "unauthenticated", "sign in"),
        (
            json!({"id": 8, "call": "user.register", "body": {"name": "a b", "password": "long enough 1"}}),
            "invalid",
            "name",
        ),
        (
            json!({"id": 9, "call": "user.register", "body": {"name": "alice", "password": "short"}}),
            "invalid",
            "password",
        ),
        (
            json!({"id": 10, "call": "user.register", "body": {"name": "x".repeat(40_000), "password": "p"}}),
            "invalid",
            "name",
        ),
        (json!({"id": 11, "nonsense": {}}), "invalid", "nonsense"),
    ];
    for (frame, code, word) in cases {
        let id = frame["id"].clone();
        wire.say(frame).await;
        let answer = wire.hear().await.unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_unharmed(&address, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_the_limit_ends_the_connection_and_nothing_else() {
    let (_platform, address, place) = platform().await;
    let mut line = Wire::connect(&place).await;
    line.write(format!("{{\"id\":1,\"call\":\"{}\"}}\n", "a".repeat(65 * 1024)).as_bytes()).await;
    assert_eq!(closing_code(&mut line).await, "frame_too_large");

    let mut name = Wire::connect(&place).await;
    let body = json!({"name": "x".repeat(1_000_000), "password": "long enough 1"});
    name.say(json!({"id": 1, "call": "user.register", "body": body})).await;
    assert_eq!(closing_code(&mut name).await, "frame_too_large");

    let mut lie = Wire::connect(&place).await;
    lie.write(b"NTR1\xff\xff\xff\xff").await;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), lie.socket().read_to_end(&mut answer)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("frame_too_large"), "{text}");

    let mut stranger = Wire::connect(&place).await;
    stranger.write(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(closing_code(&mut stranger).await, "unknown_protocol");
    assert_unharmed(&address, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_connections_that_say_one_byte_are_cut_and_delay_nobody() {
    let (_platform, address, place) = platform().await;
    let mut waiting = Vec::new();
    for _ in 0..500 {
        let mut wire = Wire::connect(&place).await;
        wire.write(b"{").await;
        waiting.push(wire);
    }
    assert_unharmed(&address, "meanwhile").await;
    let started = Instant::now();
    for wire in &mut waiting {
        assert_eq!(closing_code(wire).await, "sign_in_timeout");
    }
    assert!(started.elapsed() < Duration::from_secs(13), "{:?}", started.elapsed());
    assert_unharmed(&address, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_single_bytes_does_not_hold_a_connection() {
    let (_platform, _, place) = platform().await;
    let mut wire = Wire::connect(&place).await;
    let started = Instant::now();
    wire.write(b"{").await;
    for _ in 0..30 {
        sleep(Duration::from_millis(400)).await;
        wire.write(b" ").await;
    }
    assert_eq!(closing_code(&mut wire).await, "sign_in_timeout");
    assert!(started.elapsed() < Duration::from_secs(16));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_only_so_many_connections() {
    let platform = Platform::standalone_with(Backend::Sqlite, &["edge.max_connections_per_address=50"]).await;
    let place = platform.address("tcp").await;
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(Wire::connect(&place).await);
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(closing_code(&mut Wire::connect(&place).await).await, "too_many_connections");
    open.clear();
    let begun = Instant::now();
    loop {
        let mut again = Wire::connect(&place).await;
        let closing = timeout(Duration::from_millis(500), closing_code(&mut again)).await;
        if closing.is_err() {
            let answer = again.call(1, "friend.list", json!({})).await;
            assert_eq!(answer["error"]["code"], "unauthenticated");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no place is free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_reads_is_cut_and_delays_nobody() {
    let (_platform, address, place) = platform().await;
    let mut alice = Person::register(&address, "alice").await;
    let mut bob = Person::register(&address, "bob").await;
    befriend(&mut alice, &mut bob).await;
    // A second session of bob's, which reads nothing after its sign-in.
    let mut deaf = Wire::connect(&place).await;
    let login = json!({"name": "bob", "password": Person::password()});
    assert!(deaf.call(1, "user.login", login).await["ok"].is_object());

    let text = "x".repeat(16 * 1024);
    let mut took = Vec::new();
    for _ in 0..600 {
        let started = Instant::now();
        alice.send(bob.user, &text).await.unwrap();
        while bob.message().await.from != alice.user {}
        took.push(started.elapsed());
    }
    took.sort_unstable();
    // One or two may wait for the disk.
    assert!(took[595] < Duration::from_secs(2), "{:?}", &took[590..]);
    // What the kernel had taken still comes; then the connection is at its end.
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(10), deaf.socket().read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open after 10 MB");
    assert!(rest.len() < 9 * 1024 * 1024, "{} bytes", rest.len());
    assert_unharmed(&address, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_as_somebody_else() {
    let (_platform, address, place) = platform().await;
    let mut alice = Person::register(&address, "alice").await;
    let mut bob = Person::register(&address, "bob").await;
    befriend(&mut alice, &mut bob).await;
    alice.send(bob.user, "hello").await.unwrap();
    let eve = Person::register(&address, "eve").await;
    let mut wire = Wire::connect(&place).await;
    let login = json!({"name": "eve", "password": Person::password()});
    assert!(wire.call(1, "user.login", login).await["ok"].is_object());

    let there = alice.with(&bob).to_string();
    let history = wire.call(2, "message.history", json!({"conversation": there})).await;
    assert_eq!(history["error"]["code"], "not_found", "{history}");
    let send = json!({"to": {"user": bob.user}, "client_id": "6f1c2f0a-5a0f-4c63-9d0e-0d7a3a4f9b11", "text": "hi",
        "from": alice.user});
    assert_eq!(wire.call(3, "message.send", send).await["error"]["code"], "invalid");
    let send =
        json!({"to": {"user": bob.user}, "client_id": "6f1c2f0a-5a0f-4c63-9d0e-0d7a3a4f9b11", "text": "hi"});
    assert_eq!(wire.call(4, "message.send", send).await["error"]["code"], "forbidden");
    // Internal methods have no client subject, so no name reaches them.
    let forget = wire.call(5, "friend.forget_user", json!({"user": alice.user})).await;
    assert_eq!(forget["error"]["code"], "unavailable", "{forget}");
    let answer = wire.call(6, "internal.friend.v1.forget_user", json!({"user": alice.user})).await;
    assert_eq!(answer["error"]["code"], "invalid", "{answer}");
    drop(eve);
    assert_eq!(alice.chat.call(&broker_schemas::friend::ListFriends {}).await.unwrap().friends.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sends_is_told_how_long_to_wait() {
    let settings = ["message.send_burst=20", "message.send_per_second=5"];
    let platform = Platform::standalone_with(Backend::Sqlite, &settings).await;
    let address = platform.tcp().await;
    let mut alice = Person::register(&address, "alice").await;
    let mut bob = Person::register(&address, "bob").await;
    befriend(&mut alice, &mut bob).await;
    let mut wire = Wire::connect(&platform.address("tcp").await).await;
    wire.call(1, "user.login", json!({"name": "alice", "password": Person::password()})).await;
    let (mut limited, started) = (0, Instant::now());
    for id in 2..42 {
        let client_id = uuid::Uuid::now_v7();
        let send = json!({"to": {"user": bob.user}, "client_id": client_id, "text": "spam"});
        let answer = wire.call(id, "message.send", send).await;
        if answer["error"]["code"] == "rate_limited" {
            assert!(answer["error"]["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 200), "{answer}");
            limited += 1;
        }
    }
    // 20 at once, and 5 more each second.
    let allowed = 20 + 5 * (started.elapsed().as_secs() + 1);
    assert!((1..=20).contains(&limited) && limited + allowed >= 40, "{limited} of 40");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_groups_or_friendships_too_fast_is_told_how_long_to_wait() {
    let settings = ["group.change_burst=6", "friend.change_burst=6"];
    let platform = Platform::standalone_with(Backend::Sqlite, &settings).await;
    let address = platform.tcp().await;
    let alice = Person::register(&address, "alice").await;
    let bob = Person::register(&address, "bob").await;
    let mut wire = Wire::connect(&platform.address("tcp").await).await;
    wire.call(1, "user.login", json!({"name": "alice", "password": Person::password()})).await;
    let group = wire.call(2, "group.create", json!({"name": "Bees"})).await["ok"]["group"].clone();
    let announce = |id: u64| ("group.announce", json!({"group": group, "text": id.to_string()}));
    let ask =
        |id: u64| (["friend.request", "friend.decline"][usize::from(id % 2 == 1)], json!({"user": bob.user}));
    let kinds: [&dyn Fn(u64) -> (&'static str, serde_json::Value); 2] = [&announce, &ask];
    for kind in kinds {
        let mut limited = 0;
        for id in 10..30 {
            let (call, body) = kind(id);
            let answer = wire.call(id, call, body).await;
            if answer["error"]["code"] == "rate_limited" {
                assert!(
                    answer["error"]["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 1_000),
                    "{answer}"
                );
                limited += 1;
            }
        }
        assert!((8..=14).contains(&limited), "{limited} of 20");
    }
    let block = wire.call(30, "friend.block", json!({"user": bob.user})).await;
    assert!(block["error"].is_null(), "{block}: a block is always possible");
    drop((alice, bob));
}
