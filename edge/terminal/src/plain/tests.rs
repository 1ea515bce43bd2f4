//! Plain mode from the first line to the last, against an edge that does what the test says.

use std::path::Path;

use broker_schemas::message::{self, NewEvent};
use broker_schemas::{Error, Fetched, Timestamp, friend, user};

use super::fake_edge::{FakeEdge, Peer, entry, session, unread, user_id, with};
use super::*;
use crate::exit_code;
use crate::model::Mode;

fn with_bob(token: &str, unread: Vec<message::Standing>) -> user::Session {
    let (name, since) = ("bob".to_owned(), Timestamp(0));
    let bob =
        friend::FriendEntry { user: user_id(2), name: name.clone(), display_name: name, online: true, since };
    user::Session { friends: Fetched::Available(vec![bob]), ..session(token, unread) }
}

/// Runs `lines`, then the end of input. What was written, and how it ended.
async fn script(
    edge: &FakeEdge,
    tokens: &Path,
    (state, first): (State, Vec<Effect>),
    lines: &str,
) -> (String, anyhow::Result<()>) {
    let mut runner = Runner::new(edge.address.clone(), Some(tokens.to_owned()));
    if first.is_empty() {
        assert!(runner.resume("alice"), "a session was kept");
    }
    let mut out = Vec::new();
    let ended =
        run(state, runner, first, false, super::lines(std::io::Cursor::new(lines.to_owned())), &mut out)
            .await;
    (String::from_utf8(out).unwrap(), ended)
}

fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> T {
    broker_schemas::ContentType::Postcard.decode(body).unwrap()
}

fn sign_in() -> (State, Vec<Effect>) {
    let effect = Effect::SignIn { name: "alice".into(), password: "password1".into(), register: false };
    (State::signing_in_as(Mode::Plain, "alice"), vec![effect])
}

/// Answers every call as a server at rest does, and sends back every message that is sent, until the client leaves.
async fn serve(mut peer: Peer, mut stored: Vec<message::Entry>) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(call) = peer.try_call().await {
        match call.name.as_str() {
            "message.sync" => {
                let request: message::Sync = decode(&call.body);
                let have = request.have.get(&with(2)).copied().unwrap_or_default();
                let messages = stored.iter().filter(|entry| entry.seq.get() > have).cloned().collect();
                peer.ok(&call, &message::Missed { messages, changed: Vec::new(), more: false }).await;
            }
            "friend.requests" => {
                let (incoming, outgoing, blocked) = (Vec::new(), Vec::new(), Vec::new());
                peer.ok(&call, &friend::Requests { incoming, outgoing, blocked }).await;
            }
            "message.send" => {
                let request: message::Send = decode(&call.body);
                let new = message::Entry {
                    from: user_id(1),
                    client_id: Some(request.client_id),
                    text: request.text.into(),
                    ..entry(2, 9)
                };
                let message::Entry { conversation, seq, sent_at, .. } = new;
                peer.ok(&call, &message::Sent { conversation, seq, sent_at }).await;
                stored.push(new.clone());
                peer.push(&NewEvent(new)).await;
            }
            _ => peer.ok(&call, &broker_schemas::Done {}).await,
        }
        names.push(call.name);
    }
    names
}

#[tokio::test]
async fn a_script_sees_what_was_missed_sends_and_leaves_a_session_behind() {
    let (edge, tokens) = (FakeEdge::start().await, tempfile::tempdir().unwrap());
    let server = async {
        let mut peer = edge.accept().await;
        let (call, _) = peer.expect::<user::Login>().await;
        peer.ok(&call, &with_bob("t1", vec![unread(2, 8, 7)])).await;
        serve(peer, vec![entry(2, 8)]).await
    };
    let (names, (written, ended)) =
        tokio::join!(server, script(&edge, tokens.path(), sign_in(), "/msg bob hello\n/nonsense\n"));
    ended.unwrap();
    for line in ["* online as alice", "bob: message 8", "-> bob: hello", "* there is no /nonsense"] {
        assert!(written.lines().any(|written| written.starts_with(line)), "{line}:\n{written}");
    }
    assert!(names.contains(&"message.read".to_owned()), "{names:?}");

    // The next start needs no password; a logout ends that.
    let server = async {
        let mut peer = edge.accept().await;
        let (call, request) = peer.expect::<user::Resume>().await;
        assert_eq!(&*request.token, "t1");
        peer.ok(&call, &with_bob("t2", Vec::new())).await;
        serve(peer, Vec::new()).await
    };
    let resuming = (State::resuming(Mode::Plain), Vec::new());
    let (names, (_, ended)) = tokio::join!(server, script(&edge, tokens.path(), resuming, "/logout\n"));
    ended.unwrap();
    assert!(names.contains(&"user.logout".to_owned()), "{names:?}");
    assert!(!Runner::new(edge.address.clone(), Some(tokens.path().to_owned())).resume("alice"));
}

#[tokio::test]
async fn a_refused_sign_in_is_the_exit_code() {
    let (edge, tokens) = (FakeEdge::start().await, tempfile::tempdir().unwrap());
    let server = async {
        let mut peer = edge.accept().await;
        let call = peer.call().await;
        peer.fail(&call, &Error::unauthenticated("wrong name or password")).await;
        peer
    };
    let (_peer, (written, ended)) = tokio::join!(server, script(&edge, tokens.path(), sign_in(), "hello\n"));
    assert!(written.contains("wrong name or password"), "{written}");
    assert_eq!(exit_code(&ended.unwrap_err()), 1);
}

#[tokio::test]
async fn nobody_there_is_another_exit_code() {
    let tokens = tempfile::tempdir().unwrap();
    let mut edge = FakeEdge::start().await;
    edge.address = "tcp://127.0.0.1:1".parse().unwrap();
    let (_, ended) = script(&edge, tokens.path(), sign_in(), "").await;
    assert_eq!(exit_code(&ended.unwrap_err()), 3);
}

#[tokio::test]
async fn messages_are_sent_in_the_order_of_the_lines() {
    let (edge, tokens) = (FakeEdge::start().await, tempfile::tempdir().unwrap());
    let server = async {
        let mut peer = edge.accept().await;
        let (call, _) = peer.expect::<user::Login>().await;
        peer.ok(&call, &with_bob("t1", vec![unread(2, 0, 0)])).await;
        let mut texts = Vec::new();
        while let Some(call) = peer.try_call().await {
            if call.name == "message.send" {
                let request: message::Send = decode(&call.body);
                texts.push(String::from(request.text));
                let seq = entry(2, texts.len() as u64).seq;
                let sent = message::Sent { conversation: with(2), seq, sent_at: Timestamp(0) };
                peer.ok(&call, &sent).await;
            } else {
                peer.fail(&call, &Error::unavailable("busy elsewhere")).await;
            }
        }
        texts
    };
    let lines = "/open bob\none\n//two\nthree\n/quit\n";
    let (texts, (_, ended)) = tokio::join!(server, script(&edge, tokens.path(), sign_in(), lines));
    ended.unwrap();
    assert_eq!(texts, ["one", "/two", "three"]);
}
