//! What one connection promises: every call learns what became of it, and nothing grows without bound.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is the report, in helpers too")]

mod fake_edge;

use std::time::Duration;

use broker_schemas::{Code, Error, Outcome, friend, message};
use fake_edge::{FakeEdge, entry, user_id};
use natter_client::{CallError, Client, Encoding, Event, Options};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn calls_are_answered_in_whatever_order_the_edge_likes() {
    let edge = FakeEdge::start().await;
    let (client, _events) = Client::connect(&edge.address).await.unwrap();
    let mut peer = edge.accept().await;
    let (first, second) = (friend::Accept { user: user_id(2) }, friend::Request { user: user_id(3) });
    let answers = async {
        let (first, second) = (peer.call().await, peer.call().await);
        peer.ok(&second, &friend::Requested { friends: true }).await;
        peer.fail(&first, &Error::not_found("nobody asked")).await;
    };
    let (first, second, ()) = tokio::join!(client.call(&first), client.call(&second), answers);
    assert_eq!(first.unwrap_err().code(), Code::NotFound);
    assert!(second.unwrap().friends);
}

#[tokio::test]
async fn a_call_in_flight_when_the_connection_breaks_has_an_unknown_outcome() {
    let edge = FakeEdge::start().await;
    let (client, mut events) = Client::connect(&edge.address).await.unwrap();
    let mut peer = edge.accept().await;
    let lost = async {
        peer.call().await;
        drop(peer);
    };
    let request = friend::Accept { user: user_id(2) };
    let (answer, ()) = tokio::join!(client.call(&request), lost);
    assert_eq!(answer.unwrap_err().outcome(), Outcome::Unknown);
    assert_eq!(events.next().await, None);
    // A further one never leaves.
    assert_eq!(client.call(&request).await.unwrap_err().outcome(), Outcome::NotExecuted);
}

#[tokio::test]
async fn a_silent_edge_costs_no_more_than_the_limit() {
    let edge = FakeEdge::start().await;
    let (client, _events) = Client::connect(&edge.address).await.unwrap();
    let _peer = edge.accept().await;
    let limit = Duration::from_millis(100);
    let error = client.call_within(&friend::ListFriends {}, limit).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn a_call_beyond_the_open_ones_waits_and_may_say_that_it_was_not_sent() {
    let edge = FakeEdge::start().await;
    let options = Options { open_calls: 1, ..Options::default() };
    let (client, _events) = Client::connect_with(&edge.address, &options).await.unwrap();
    let mut peer = edge.accept().await;
    let request = friend::ListFriends {};
    let slow = client.call_within(&request, SOON);
    let hasty = client.call_within(&request, Duration::from_millis(50));
    let answer = async {
        let call = peer.call().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        peer.ok(&call, &friend::Friends { friends: Vec::new() }).await;
    };
    let (slow, hasty, ()) = tokio::join!(slow, hasty, answer);
    assert!(slow.is_ok());
    assert!(matches!(hasty, Err(CallError::NotSent(_))));
}

#[tokio::test]
async fn an_edge_that_stops_answering_is_found_out() {
    let edge = FakeEdge::start().await;
    let brief = Duration::from_millis(50);
    let options = Options { quiet: brief, patience: brief, ..Options::default() };
    let (client, mut events) = Client::connect_with(&edge.address, &options).await.unwrap();
    let _silent = edge.accept().await;
    assert_eq!(events.next().await, None);
    assert!(client.closed().unwrap().message.contains("no sign of life"));
}

#[tokio::test]
async fn an_edge_that_answers_pings_is_kept() {
    let edge = FakeEdge::start().await;
    let brief = Duration::from_millis(50);
    let options = Options { quiet: brief, patience: brief * 100, ..Options::default() };
    let (client, _events) = Client::connect_with(&edge.address, &options).await.unwrap();
    let mut peer = edge.accept().await;
    // `call` answers pings until a call comes, which none does.
    let _ = tokio::time::timeout(brief * 10, peer.try_call()).await;
    assert_eq!(client.closed(), None);
}

#[tokio::test]
async fn the_edges_last_words_are_the_reason() {
    let edge = FakeEdge::start().await;
    let (client, mut events) = Client::connect(&edge.address).await.unwrap();
    let mut peer = edge.accept().await;
    peer.frame(natter_protocol::ServerFrame::Closing {
        code: "server_stopping".into(),
        message: "bye".into(),
    })
    .await;
    assert_eq!(events.next().await, None);
    assert_eq!(client.closed().unwrap().code.as_deref(), Some("server_stopping"));
}

#[tokio::test]
async fn events_that_nobody_takes_turn_into_one_resync_and_replies_still_come() {
    let edge = FakeEdge::start().await;
    let options = Options { event_queue: 2, ..Options::default() };
    let (client, mut events) = Client::connect_with(&edge.address, &options).await.unwrap();
    let mut peer = edge.accept().await;
    for seq in 1..=5 {
        peer.push(&message::NewEvent(entry(2, seq))).await;
    }
    let answer = async {
        let call = peer.call().await;
        peer.ok(&call, &friend::Friends { friends: Vec::new() }).await;
    };
    let (reply, ()) = tokio::join!(client.call(&friend::ListFriends {}), answer);
    reply.unwrap();
    let message = |seq| Event::Message(Box::new(entry(2, seq)));
    for expected in [message(1), message(2), Event::Resync] {
        assert_eq!(events.next().await, Some(expected));
    }
}

#[tokio::test]
async fn events_of_other_teams_arrive_raw() {
    let edge = FakeEdge::start().await;
    let (_client, mut events) = Client::connect(&edge.address).await.unwrap();
    let mut peer = edge.accept().await;
    peer.push_raw("poll.opened", &[7]).await;
    let Some(Event::Other(raw)) = events.next().await else { panic!("a raw event") };
    assert_eq!((raw.name.as_str(), raw.decode::<u8>()), ("poll.opened", Ok(7)));
}

#[tokio::test]
async fn a_request_that_no_edge_would_take_is_refused_here() {
    let edge = FakeEdge::start().await;
    let (client, _events) = Client::connect(&edge.address).await.unwrap();
    let error = client.call_raw("poll.open", &[0; 70_000], SOON).await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Code::TooLarge, Outcome::Rejected));
    assert_eq!(client.closed(), None);
}

#[tokio::test]
async fn json_lines_carry_raw_calls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let options = Options { encoding: Encoding::Json, ..Options::default() };
    let (client, _events) = Client::connect_with(&address, &options).await.unwrap();
    let answer = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "{\"id\":1,\"call\":\"poll.open\",\"body\":{\"q\":\"?\"}}\n");
        stream.write_all(b"{\"id\":1,\"ok\":{\"poll\":3}}\n").await.unwrap();
        stream
    };
    let (reply, _open) = tokio::join!(client.call_raw("poll.open", br#"{"q":"?"}"#, SOON), answer);
    assert_eq!(&reply.unwrap()[..], br#"{"poll":3}"#);
}

#[tokio::test]
async fn web_socket_carries_the_same_frames() {
    use futures_util::{SinkExt, StreamExt};
    use natter_protocol::{ClientFrame, ServerFrame};
    use tokio_tungstenite::tungstenite::Message;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/ws", listener.local_addr().unwrap()).parse().unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let Some(Ok(Message::Binary(bytes))) = socket.next().await else { panic!("a binary message") };
        let Ok(ClientFrame::Call { id, .. }) = ClientFrame::decode(Encoding::Binary, &bytes) else {
            panic!("a call")
        };
        let body =
            broker_schemas::ContentType::Postcard.encode(&friend::Requested { friends: false }).unwrap();
        let frame = ServerFrame::Ok { id, body: &body }.encode(Encoding::Binary, false);
        socket.send(Message::Binary(frame)).await.unwrap();
        socket.close(None).await.unwrap();
    };
    let call = async {
        let (client, mut events) = Client::connect(&address).await.unwrap();
        let reply = client.call(&friend::Request { user: user_id(2) }).await;
        assert_eq!(events.next().await, None);
        reply
    };
    let (reply, ()) = tokio::join!(call, serve);
    assert!(!reply.unwrap().friends);
}
