//! What the README tells people to type works, in the terminal's client, in one call from a shell, and by hand.

use std::process::{Output, Stdio};

use natter_tests::{Backend, Platform, Terminal, Wire, on_both_databases, program};
use serde_json::Value;
use tokio::process::Command;

/// The messages among what was shown.
fn messages(shown: Vec<String>) -> Vec<String> {
    shown.into_iter().filter(|line| !line.starts_with('*')).collect()
}

on_both_databases! {
    async fn two_people_chat_leave_and_find_everything_when_they_are_back(backend: Backend) {
        let place = format!("edge.tcp=127.0.0.1:{}", natter_host::testing::free_port());
        let mut platform = Platform::standalone_with(backend, &[&place]).await;
        let (server, state) = (platform.tcp().await.to_string(), tempfile::tempdir().unwrap());
        let state = state.path();
        let mut alice = Terminal::register(&server, state, "alice");
        let mut bob = Terminal::register(&server, state, "bob");
        alice.see("* online as alice").await;
        bob.see("* online as bob").await;
        alice.say("/add bob").await;
        bob.see("* alice asks to be your friend").await;
        bob.say("/accept alice").await;
        alice.see("* bob is your friend now").await;
        bob.see("* alice is your friend now").await;
        alice.say("/open bob").await;
        alice.say("hello, bob").await;
        bob.see("alice: hello, bob").await;
        bob.say("/msg alice hello, alice").await;
        alice.see("bob: hello, alice").await;

        bob.end().await;
        alice.see("* bob is offline").await;
        for text in ["one", "two", "three"] {
            alice.say(text).await;
            alice.see(&format!("-> bob: {text}")).await;
        }
        let missed = messages(Terminal::start(&server, state, "bob").end().await);
        assert_eq!(missed, ["alice: one", "alice: two", "alice: three"]);
        let missed = messages(Terminal::start(&server, state, "bob").end().await);
        assert!(missed.is_empty(), "once more: {missed:?}");

        platform.restart().await;
        alice.see("* offline").await;
        alice.see("* online as alice").await;
        alice.say("after the restart").await;
        alice.see("-> bob: after the restart").await;
        let mut bob = Terminal::start(&server, state, "bob");
        bob.see("alice: after the restart").await;
        bob.say("/open alice").await;
        bob.say("/history").await;
        let history = messages(bob.end().await);
        let whole =
            ["alice: hello, bob", "-> alice: hello, alice", "alice: one", "alice: two", "alice: three"];
        assert_eq!(history, whole);
        assert!(messages(alice.end().await).is_empty());
    }
}

on_both_databases! {
    async fn a_second_chat_of_somebody_takes_nothing_from_the_first(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let (server, state) = (platform.tcp().await.to_string(), tempfile::tempdir().unwrap());
        let state = state.path();
        let mut first = Terminal::register(&server, state, "alice");
        first.see("* online as alice").await;
        let mut bob = Terminal::register(&server, state, "bob");
        bob.see("* online as bob").await;
        // Without a password there is no session for it.
        let arguments = Terminal::arguments(&server, "alice");
        let mut command = Command::new(program("natter"));
        command.args(arguments).env("XDG_STATE_HOME", state).env_remove("NATTER_PASSWORD").stdin(Stdio::null());
        let refused = command.output().await.unwrap();
        let words = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && words.contains("another natter chat has it"), "{words}");

        let mut second = Terminal::sign_in(&server, state, "alice");
        second.see("* online as alice").await;
        bob.say("/add alice").await;
        for alice in [&mut first, &mut second] {
            alice.see("* bob asks to be your friend").await;
        }
        second.end().await;
        first.say("/accept bob").await;
        bob.see("* alice is your friend now").await;
        // Whose session is kept is the first one's.
        first.end().await;
        let mut back = Terminal::start(&server, state, "alice");
        back.see("* online as alice").await;
    }
}

on_both_databases! {
    async fn four_people_live_through_a_group_and_two_devices_of_one_see_the_same(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let server = platform.tcp().await.to_string();
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut alice = Terminal::register(&server, first.path(), "alice");
        alice.see("* online as alice").await;
        let mut phone = Terminal::sign_in(&server, second.path(), "alice");
        phone.see("* online as alice").await;
        let mut others = Vec::new();
        for name in ["bob", "carol", "dave"] {
            let mut other = Terminal::register(&server, first.path(), name);
            other.see(&format!("* online as {name}")).await;
            alice.say(&format!("/add {name}")).await;
            other.see("* alice asks to be your friend").await;
            other.say("/accept alice").await;
            alice.see(&format!("* {name} is your friend now")).await;
            phone.see(&format!("* {name} is your friend now")).await;
            others.push(other);
        }
        let Ok([mut bob, mut carol, mut dave]) = <[Terminal; 3]>::try_from(others) else { unreachable!() };

        alice.say("/create team bob carol").await;
        for other in [&mut bob, &mut carol] {
            other.see("* alice put you into the group team").await;
            other.say("/open team").await;
        }
        phone.see("* you are in the group team").await;
        alice.see("[team #1] * alice made the group team with bob and carol").await;
        alice.say("/open team").await;
        alice.say("/invite dave").await;
        dave.see("[team #2] * alice added dave").await;
        dave.say("/open team").await;
        alice.say("/announce lunch at noon").await;
        for other in [&mut alice, &mut phone, &mut bob, &mut carol, &mut dave] {
            other.see("[team #3] * alice announced: lunch at noon").await;
        }

        bob.say("hello everyone").await;
        for other in [&mut alice, &mut phone, &mut carol, &mut dave] {
            other.see("[team #4] bob: hello everyone").await;
        }
        carol.say("/reply 4 hi bob").await;
        bob.see("[team #5] carol: > #4 bob: hello everyone | hi bob").await;
        dave.say("/react 4 👍").await;
        phone.see("* [team #4] dave reacted 👍").await;
        bob.say("/edit 4 hello all of you").await;
        for other in [&mut alice, &mut phone, &mut carol, &mut dave] {
            other.see("* [team #4] edited: hello all of you").await;
        }
        phone.say("/open team").await;
        phone.say("oops").await;
        alice.see("[team #6] alice: oops").await;
        bob.see("[team #6] alice: oops").await;
        alice.say("/recall 6").await;
        for other in [&mut phone, &mut bob, &mut carol, &mut dave] {
            other.see("* [team #6] recalled by alice").await;
        }
        carol.say("/search hello").await;
        carol.see("* [team #4] bob: hello all of you (edited) [👍 1]").await;

        alice.say("/mute dave 5").await;
        dave.see("[team #7] * alice muted dave until").await;
        dave.say("may I?").await;
        dave.see("* not sent to team: you can't write in this group until").await;
        alice.say("/kick dave").await;
        dave.see("* alice put you out of the group team").await;
        bob.see("[team #8] * dave was put out by alice").await;
        alice.say("between us").await;
        bob.see("[team #9] alice: between us").await;
        alice.say("/dissolve team").await;
        for other in [&mut phone, &mut bob, &mut carol] {
            other.see("[team #10] * alice dissolved the group").await;
        }
        bob.say("anybody?").await;
        bob.see("* not sent to team: the group was dissolved").await;

        let heard_by_dave = dave.end().await;
        assert!(messages(heard_by_dave).is_empty(), "dave was out");
        let phone = phone.end().await;
        let after = messages(Terminal::start(&server, second.path(), "alice").end().await);
        assert!(after.is_empty(), "the phone had all of it: {after:?}, after {phone:?}");
    }
}

async fn call(server: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program("natter"));
    command.args(["call", "--server", server]).args(arguments).stdin(Stdio::null());
    for variable in ["NATTER_PASSWORD", "NATTER_TOKEN"] {
        command.env_remove(variable);
    }
    let Output { status, stdout, stderr } = command.kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_a_shell_prints_its_reply_and_its_exit_code_says_what_happened() {
    let platform = Platform::standalone(Backend::Sqlite).await;
    let server = platform.tcp().await.to_string();
    let carol = r#"{"name":"carol","password":"a long enough one"}"#;
    let (code, out, error) = call(&server, &["user.register", carol]).await;
    assert_eq!((code, out.as_str(), error.as_str()), (Some(0), "{\"user\":1}\n", ""));

    let as_carol = ["--as", "carol", "--password", "a long enough one", "user.profile"];
    let (code, out, _) = call(&server, &as_carol).await;
    let profile: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &profile["name"]), (Some(0), &Value::from("carol")));

    let nobody = "tcp://127.0.0.1:1";
    let cases = [
        (1, server.as_str(), ["user.register", carol], "taken"),
        (1, &server, ["friend.list", "{}"], "sign in"),
        (2, &server, ["user.register", "{name: carol}"], "not JSON"),
        (2, &server, ["--no-such-flag", "{}"], "--no-such-flag"),
        (2, "http://127.0.0.1", ["user.register", carol], "--server"),
        (3, &server, ["user.no_such_method", "{}"], "no_such_method"),
        (3, nobody, ["user.register", carol], "no connection"),
    ];
    for (expected, server, arguments, word) in cases {
        let (code, out, error) = call(server, &arguments).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {error}");
        assert!(out.is_empty() && error.contains(word), "{arguments:?}: {out:?}, {error:?}");
    }
}

/// The blocks of frames in the README's first conversation.
fn first_conversation() -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("## A first conversation\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```json\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Hears until the call `id` was answered and the event `name` came, in either order. The reply and the event.
async fn reply_and_event(wire: &mut Wire, id: u64, name: &str) -> (Value, Value) {
    let (mut reply, mut event) = (None, None);
    while reply.is_none() || event.is_none() {
        let frame = wire.hear().await.unwrap_or_else(|| panic!("closed before {name}"));
        if frame["id"] == id {
            assert!(frame["ok"].is_object(), "{frame}");
            reply = Some(frame["ok"].clone());
        } else if frame["event"] == name {
            event = Some(frame["body"].clone());
        }
    }
    (reply.unwrap(), event.unwrap())
}

async fn event(wire: &mut Wire, name: &str) -> Value {
    loop {
        let frame = wire.hear().await.unwrap_or_else(|| panic!("closed before {name}"));
        assert!(frame["error"].is_null(), "{frame}");
        if frame["event"] == name {
            return frame["body"].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_by_hand_in_the_readme_is_true_to_the_letter() {
    let blocks = first_conversation();
    let [alice_comes, bob_comes, alice_asks, bob_accepts, alice_writes, bob_writes] = &blocks[..] else {
        panic!("another conversation than this test knows: {blocks:#?}");
    };
    let platform = Platform::standalone(Backend::Sqlite).await;
    let place = platform.address("tcp").await;
    let (mut alice, mut bob) = (Wire::connect(&place).await, Wire::connect(&place).await);
    for (wire, lines, user) in [(&mut alice, alice_comes, 1), (&mut bob, bob_comes, 2)] {
        wire.write(lines.as_bytes()).await;
        for id in [1, 2] {
            let answer = wire.hear().await.unwrap();
            assert_eq!((&answer["id"], &answer["ok"]["user"]), (&id.into(), &user.into()), "{answer}");
        }
    }
    alice.write(alice_asks.as_bytes()).await;
    assert_eq!(event(&mut bob, "friend.requested").await["user"], 1);
    bob.write(bob_accepts.as_bytes()).await;
    assert_eq!(reply_and_event(&mut bob, 3, "friend.accepted").await.1["user"], 1);
    assert_eq!(reply_and_event(&mut alice, 3, "friend.accepted").await.1["user"], 2);

    alice.write(alice_writes.as_bytes()).await;
    let sent: Value = serde_json::from_str(alice_writes).unwrap();
    let (_, shown) = reply_and_event(&mut alice, 4, "message.new").await;
    assert_eq!((&shown["text"], &shown["from"]), (&sent["body"]["text"], &1.into()));
    assert_eq!(event(&mut bob, "message.new").await, shown);
    bob.write(bob_writes.as_bytes()).await;
    let sent: Value = serde_json::from_str(bob_writes).unwrap();
    let (_, shown) = reply_and_event(&mut bob, 4, "message.new").await;
    assert_eq!((&shown["text"], &shown["from"]), (&sent["body"]["text"], &2.into()));
    assert_eq!(event(&mut alice, "message.new").await, shown);
}
