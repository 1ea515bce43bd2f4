//! What a chat promises: every message once and in order, and every send once, whatever happens to the connection.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is the report, in helpers too")]

mod fake_edge;

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::admin::{AnnouncedEvent, BroadcastEvent};
use broker_schemas::announcement::{MarkSeen, SeenRevision};
use broker_schemas::message::{Entry, NewEvent, Received, Recipient, Sent};
use broker_schemas::{Code, Done, Error, Outcome, Timestamp, message, user};
use fake_edge::{FakeEdge, entry, login, unread, user_id, with};
use natter_client::{CallError, Chat, ChatOptions, Cursor, Event, SignInError, Update, Updates};
use uuid::Uuid;

fn options() -> ChatOptions {
    let brief = Duration::from_millis(20);
    ChatOptions { first_wait: brief, longest_wait: brief * 2, ..ChatOptions::default() }
}

/// What a sync brings when nothing was missed.
fn nothing() -> message::Missed {
    message::Missed { messages: Vec::new(), changed: Vec::new(), more: false }
}

async fn sign_in(edge: &FakeEdge, known: Vec<message::Standing>) -> (Chat, Updates, fake_edge::Peer) {
    let login = login();
    let (signed_in, peer) =
        tokio::join!(Chat::sign_in(&edge.address, &login, options()), edge.accept_session("t1", known));
    let (chat, mut updates) = signed_in.unwrap();
    assert!(matches!(updates.next().await, Some(Update::Online(_))));
    (chat, updates, peer)
}

/// The seqs of the next `count` messages; other updates are skipped.
async fn seqs(updates: &mut Updates, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        match tokio::time::timeout(Duration::from_secs(10), updates.next()).await.expect("a message") {
            Some(Update::Message(entry)) => seqs.push(entry.seq.get()),
            Some(_) => {}
            None => panic!("the session is over"),
        }
    }
    seqs
}

#[tokio::test]
async fn a_fresh_sign_in_brings_what_was_not_read_page_by_page() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 7, 4)]).await;
    let asked = peer.sync(vec![entry(2, 5), entry(2, 6)], true).await;
    assert_eq!(asked.have.get(&with(2)), Some(&4));
    let asked = peer.sync(vec![entry(2, 7)], false).await;
    assert_eq!(asked.have.get(&with(2)), Some(&6));
    assert_eq!(seqs(&mut updates, 3).await, [5, 6, 7]);
    assert_eq!(updates.cursors().get(&with(2)), Some(&Cursor { seq: 7, revision: 0 }));
}

#[tokio::test]
async fn a_gap_is_filled_before_what_follows_and_repeats_are_dropped() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 1, 1)]).await;
    peer.sync(Vec::new(), false).await;
    for seq in [2, 2, 5] {
        peer.push(&NewEvent(entry(2, seq))).await;
    }
    let (call, asked) = peer.expect::<message::Sync>().await;
    assert_eq!(asked.have.get(&with(2)), Some(&2));
    // The gap closes by itself while the sync is on its way.
    for seq in [3, 4] {
        peer.push(&NewEvent(entry(2, seq))).await;
    }
    let messages = vec![entry(2, 3), entry(2, 4), entry(2, 5)];
    peer.ok(&call, &message::Missed { messages, changed: Vec::new(), more: false }).await;
    peer.push(&NewEvent(entry(2, 6))).await;
    assert_eq!(seqs(&mut updates, 5).await, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_reconnect_resumes_with_the_newest_token_and_fetches_what_was_missed() {
    let edge = FakeEdge::start().await;
    let (chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 1, 1)]).await;
    peer.sync(Vec::new(), false).await;
    peer.push(&NewEvent(entry(2, 2))).await;
    assert_eq!(seqs(&mut updates, 1).await, [2]);
    drop(peer);
    assert!(matches!(updates.next().await, Some(Update::Offline { .. })));
    assert!(matches!(chat.client(), Err(CallError::NotSent(_))));

    // The reply of the first resume is lost: the same token is tried again.
    let mut peer = edge.accept().await;
    let (_, request) = peer.expect::<user::Resume>().await;
    assert_eq!(&*request.token, "t1");
    drop(peer);
    let mut peer = edge.accept().await;
    let (call, request) = peer.expect::<user::Resume>().await;
    assert_eq!(&*request.token, "t1");
    // Read on another device up to 3: this one has its own cursor.
    peer.ok(&call, &fake_edge::session("t2", vec![unread(2, 4, 3)])).await;
    let asked = peer.sync(vec![entry(2, 3), entry(2, 4)], false).await;
    assert_eq!(asked.have.get(&with(2)), Some(&2));
    assert_eq!(seqs(&mut updates, 2).await, [3, 4]);
    assert_eq!(chat.token(), "t2");
}

#[tokio::test]
async fn a_restarted_application_goes_on_from_its_own_cursors() {
    let edge = FakeEdge::start().await;
    let cursors = HashMap::from([(with(2), Cursor { seq: 40, revision: 3 })]);
    let (_chat, mut updates) = Chat::resume(&edge.address, "t1".into(), cursors, options());
    let mut peer = edge.accept_session("t2", vec![unread(2, 42, 10)]).await;
    let asked = peer.sync(vec![entry(2, 41), entry(2, 42)], false).await;
    assert_eq!(asked.have.get(&with(2)), Some(&40));
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&3));
    assert_eq!(seqs(&mut updates, 2).await, [41, 42]);
}

#[tokio::test]
async fn a_send_is_repeated_with_the_same_id_until_it_is_answered() {
    let edge = FakeEdge::start().await;
    let (chat, _updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let client_id = Uuid::from_u128(9);
    let sent = Sent { conversation: with(2), seq: entry(2, 1).seq, sent_at: Timestamp(1) };
    let serve = async {
        let (call, request) = peer.expect::<message::Send>().await;
        assert_eq!(request.client_id, client_id);
        peer.fail(&call, &Error::unavailable("stopping")).await;
        let (call, request) = peer.expect::<message::Send>().await;
        assert_eq!(request.client_id, client_id);
        peer.fail(&call, &Error::rate_limited("slow down", Duration::from_millis(50))).await;
        // In flight, and the connection breaks: unknown.
        let (_, request) = peer.expect::<message::Send>().await;
        assert_eq!(request.client_id, client_id);
        drop(peer);
        let mut peer = edge.accept_session("t2", Vec::new()).await;
        loop {
            let call = peer.call().await;
            if call.name == "message.send" {
                peer.ok(&call, &sent).await;
                return peer;
            }
            peer.ok(&call, &nothing()).await;
        }
    };
    let send = chat.send(Recipient::User(user_id(2)), client_id, "hello", Duration::from_secs(10));
    let (answer, _peer) = tokio::join!(send, serve);
    assert_eq!(answer, Ok(sent));
}

/// As when the server of the bus dies over which the answer was to come.
#[tokio::test]
async fn a_send_whose_answer_got_lost_is_repeated_on_the_same_connection() {
    let edge = FakeEdge::start().await;
    let (chat, _updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let client_id = Uuid::from_u128(9);
    let sent = Sent { conversation: with(2), seq: entry(2, 1).seq, sent_at: Timestamp(1) };
    let serve = async {
        let _lost = peer.expect::<message::Send>().await;
        let (call, request) = peer.expect::<message::Send>().await;
        assert_eq!(request.client_id, client_id);
        peer.ok(&call, &sent).await;
    };
    let send = chat.send(Recipient::User(user_id(2)), client_id, "hello", Duration::from_secs(20));
    let (answer, ()) = tokio::join!(send, serve);
    assert_eq!(answer, Ok(sent));
}

#[tokio::test]
async fn an_outcome_that_was_unknown_once_stays_unknown() {
    let edge = FakeEdge::start().await;
    let (chat, _updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let serve = async {
        let (call, _) = peer.expect::<message::Send>().await;
        peer.fail(&call, &Error::timeout("no answer in time")).await;
        while let Some(call) = peer.try_call().await {
            peer.fail(&call, &Error::unavailable("nobody there")).await;
        }
    };
    let send =
        chat.send(Recipient::User(user_id(2)), Uuid::from_u128(9), "hello", Duration::from_millis(300));
    tokio::select! {
        answer = send => assert_eq!(answer.unwrap_err().outcome(), Outcome::Unknown),
        () = serve => panic!("the client left"),
    }
}

#[tokio::test]
async fn a_refused_send_is_not_repeated() {
    let edge = FakeEdge::start().await;
    let (chat, _updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let serve = async {
        let (call, _) = peer.expect::<message::Send>().await;
        peer.fail(&call, &Error::forbidden("not your friend")).await;
    };
    let send = chat.send(Recipient::User(user_id(2)), Uuid::from_u128(9), "hello", Duration::from_secs(10));
    let (answer, ()) = tokio::join!(send, serve);
    assert_eq!(answer.unwrap_err().code(), Code::Forbidden);
}

#[tokio::test]
async fn a_session_that_ended_elsewhere_is_not_resumed() {
    let edge = FakeEdge::start().await;
    let (chat, mut updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let body = broker_schemas::ContentType::Postcard.encode(&("password_changed", "elsewhere")).unwrap();
    peer.push_raw("session.closed", &body).await;
    let Some(Update::Over(closed)) = updates.next().await else { panic!("over") };
    assert_eq!(closed.code.as_deref(), Some("password_changed"));
    assert!(updates.next().await.is_none());
    let send = chat.send(Recipient::User(user_id(2)), Uuid::from_u128(9), "hello", Duration::from_secs(10));
    assert_eq!(send.await.unwrap_err().outcome(), Outcome::NotExecuted);
}

#[tokio::test]
async fn a_void_token_ends_the_session_but_an_absent_service_does_not() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates) = Chat::resume(&edge.address, "old".into(), HashMap::new(), options());
    for error in [Error::unavailable("the user service is away"), Error::timeout("too slow")] {
        let mut peer = edge.accept().await;
        let call = peer.call().await;
        peer.fail(&call, &error).await;
        assert!(matches!(updates.next().await, Some(Update::Offline { .. })));
    }
    let mut peer = edge.accept().await;
    let call = peer.call().await;
    peer.fail(&call, &Error::unauthenticated("the token is void")).await;
    let Some(Update::Over(closed)) = updates.next().await else { panic!("over") };
    assert_eq!(closed.code.as_deref(), Some("unauthenticated"));
}

#[tokio::test]
async fn a_resync_asks_at_once_and_tells_the_application() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 1, 1)]).await;
    peer.sync(Vec::new(), false).await;
    peer.push_raw("session.resync", &[]).await;
    assert!(matches!(updates.next().await, Some(Update::Event(Event::Resync))));
    peer.sync(vec![entry(2, 2)], false).await;
    assert_eq!(seqs(&mut updates, 1).await, [2]);
}

#[tokio::test]
async fn a_sync_that_fails_is_repeated_while_pushes_go_on() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 2, 1)]).await;
    for _ in 0..3 {
        let (call, _) = peer.expect::<message::Sync>().await;
        peer.fail(&call, &Error::unavailable("the message service is away")).await;
    }
    peer.push(&broker_schemas::friend::PresenceEvent { user: user_id(2), online: true }).await;
    assert!(matches!(updates.next().await, Some(Update::Event(Event::Presence(_)))));
    peer.sync(vec![entry(2, 2)], false).await;
    assert_eq!(seqs(&mut updates, 1).await, [2]);
}

#[tokio::test]
async fn a_wrong_password_is_the_servers_answer() {
    let edge = FakeEdge::start().await;
    let refuse = async {
        let mut peer = edge.accept().await;
        let call = peer.call().await;
        peer.fail(&call, &Error::unauthenticated("wrong name or password")).await;
    };
    let login = login();
    let (signed_in, ()) = tokio::join!(Chat::sign_in(&edge.address, &login, options()), refuse);
    let Err(SignInError::Call(error)) = signed_in else { panic!("refused") };
    assert_eq!(error.code(), Code::Unauthenticated);
}

fn announced(announcement: u64, revision: u32) -> AnnouncedEvent {
    AnnouncedEvent {
        announcement,
        revision,
        text: Some(format!("wording {revision}")),
        until: Timestamp(i64::MAX),
    }
}

/// The next announcement; other updates are skipped.
async fn announcement(updates: &mut Updates) -> AnnouncedEvent {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), updates.next()).await.expect("an announcement") {
            Some(Update::Announcement(event)) => return event,
            Some(_) => {}
            None => panic!("the session is over"),
        }
    }
}

#[tokio::test]
async fn each_wording_of_an_announcement_is_told_once_whether_listed_or_pushed() {
    let edge = FakeEdge::start().await;
    let login = login();
    let server = async {
        let mut peer = edge.accept().await;
        peer.unseen = Ok(vec![announced(1, 1)]);
        let call = peer.call().await;
        peer.ok(&call, &fake_edge::session("t1", Vec::new())).await;
        peer
    };
    let (signed_in, mut peer) = tokio::join!(Chat::sign_in(&edge.address, &login, options()), server);
    let (chat, mut updates) = signed_in.unwrap();
    peer.sync(Vec::new(), false).await;
    // What is listed although it was told is said to be seen: the application's own word may have been lost.
    peer.push_raw("session.resync", b"").await;
    peer.sync(Vec::new(), false).await;
    let (call, request) = peer.expect::<MarkSeen>().await;
    assert_eq!(*request.seen, [SeenRevision { announcement: 1, revision: 1 }]);
    peer.unseen = Ok(Vec::new());
    peer.ok(&call, &Done {}).await;
    for event in
        [announced(1, 1), announced(1, 2), announced(1, 2), AnnouncedEvent { text: None, ..announced(1, 2) }]
    {
        peer.push(&event).await;
    }
    peer.push(&BroadcastEvent { text: "to all".into(), at: Timestamp(1) }).await;
    for wording in [Some("wording 1"), Some("wording 2"), None] {
        assert_eq!(announcement(&mut updates).await.text.as_deref(), wording);
    }
    assert!(
        matches!(updates.next().await, Some(Update::Event(Event::Broadcast(event))) if event.text == "to all")
    );

    let seen = SeenRevision { announcement: 1, revision: 2 };
    let serve = async {
        let (call, _) = peer.expect::<MarkSeen>().await;
        peer.fail(&call, &Error::unavailable("the module restarts")).await;
        let (call, request) = peer.expect::<MarkSeen>().await;
        assert_eq!(*request.seen, [seen]);
        peer.ok(&call, &Done {}).await;
    };
    let (marked, ()) = tokio::join!(chat.mark_seen(seen, Duration::from_secs(10)), serve);
    marked.unwrap();
}

#[tokio::test]
async fn announcements_that_cannot_be_had_come_later_and_hold_nothing_up() {
    let edge = FakeEdge::start().await;
    let login = login();
    let server = async {
        let mut peer = edge.accept().await;
        peer.unseen = Err(Error::unavailable("nobody serves it"));
        let call = peer.call().await;
        peer.ok(&call, &fake_edge::session("t1", vec![unread(2, 1, 0)])).await;
        peer
    };
    let (signed_in, mut peer) = tokio::join!(Chat::sign_in(&edge.address, &login, options()), server);
    let (_chat, mut updates) = signed_in.unwrap();
    peer.sync(vec![entry(2, 1)], false).await;
    assert_eq!(seqs(&mut updates, 1).await, [1]);
    // It asks, and is refused, a few times.
    let quiet = tokio::time::timeout(Duration::from_millis(300), peer.try_call()).await;
    assert!(quiet.is_err(), "nothing but announcements was asked for");
    peer.unseen = Ok(vec![announced(4, 1)]);
    tokio::select! {
        told = announcement(&mut updates) => assert_eq!(told, announced(4, 1)),
        _ = peer.try_call() => panic!("nothing but announcements is asked for"),
    }
}

/// A message of a campaign.
fn of_campaign(seq: u64) -> Entry {
    Entry { campaign: Some(7), ..entry(2, seq) }
}

#[tokio::test]
async fn what_a_campaign_sent_is_acknowledged_however_it_came_until_the_server_knows() {
    let edge = FakeEdge::start().await;
    let (chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 2, 0)]).await;
    // By a sync, all of it at once; and again after an answer that didn't come.
    peer.sync(vec![of_campaign(1), of_campaign(2), entry(2, 3)], false).await;
    let receipt = |seq| Received { conversation: with(2), seq: broker_schemas::Seq::new(seq).unwrap() };
    let (call, received) = peer.expect::<Received>().await;
    assert_eq!(received, receipt(2));
    peer.fail(&call, &Error::unavailable("the module restarts")).await;
    let (call, received) = peer.expect::<Received>().await;
    assert_eq!(received, receipt(2));
    // Pushed while that is under way.
    peer.push(&NewEvent(of_campaign(4))).await;
    assert_eq!(seqs(&mut updates, 4).await, [1, 2, 3, 4]);
    peer.ok(&call, &Done {}).await;
    let (call, received) = peer.expect::<Received>().await;
    assert_eq!(received, receipt(4));
    peer.fail(&call, &Error::not_found("the conversation is gone")).await;

    let serve = async {
        let (call, _) = peer.expect::<message::History>().await;
        let messages = vec![of_campaign(5), of_campaign(6), entry(2, 7)];
        peer.ok(&call, &message::Messages { messages, more: false }).await;
        let (call, received) = peer.expect::<Received>().await;
        assert_eq!(received, receipt(6));
        peer.ok(&call, &Done {}).await;
    };
    let (page, ()) = tokio::join!(chat.history(with(2), None, 9), serve);
    assert_eq!(page.unwrap().len(), 3);
    // What people send is not acknowledged, nor is anything told twice.
    peer.push(&NewEvent(entry(2, 5))).await;
    assert_eq!(seqs(&mut updates, 1).await, [5]);
    let quiet = tokio::time::timeout(Duration::from_millis(300), peer.try_call()).await;
    assert!(quiet.is_err(), "nothing but announcements is asked for");
}
