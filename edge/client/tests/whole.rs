//! What a chat promises about changes of messages and about groups, whatever is pushed and whatever gets lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is the report, in helpers too")]

mod fake_edge;

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::message::{EditedEvent, Entry, NewEvent, ReactedEvent, Recipient, Standing};
use broker_schemas::{Conversation, GroupId, Seq, Timestamp, group, message};
use fake_edge::{FakeEdge, Peer, entry, login, unread, user_id, with};
use natter_client::{Chat, ChatOptions, Cursor, Draft, Event, Update, Updates};
use uuid::Uuid;

fn options() -> ChatOptions {
    let brief = Duration::from_millis(20);
    ChatOptions { first_wait: brief, longest_wait: brief * 2, ..ChatOptions::default() }
}

async fn sign_in(edge: &FakeEdge, known: Vec<Standing>) -> (Chat, Updates, Peer) {
    let login = login();
    let (signed_in, peer) =
        tokio::join!(Chat::sign_in(&edge.address, &login, options()), edge.accept_session("t1", known));
    let (chat, mut updates) = signed_in.unwrap();
    assert!(matches!(updates.next().await, Some(Update::Online(_))));
    (chat, updates, peer)
}

async fn next(updates: &mut Updates) -> Update {
    tokio::time::timeout(Duration::from_secs(10), updates.next())
        .await
        .expect("an update")
        .expect("a session")
}

fn group_id() -> GroupId {
    GroupId::new(9).unwrap()
}

fn in_group(seq: u64) -> Entry {
    Entry { conversation: Conversation::group(group_id()), ..entry(2, seq) }
}

fn standing(first_seq: u64, last_seq: u64, read_seq: u64) -> Standing {
    Standing { conversation: Conversation::group(group_id()), first_seq, ..unread(2, last_seq, read_seq) }
}

fn edited(seq: u64, revision: u64) -> EditedEvent {
    let text = format!("revision {revision}");
    let seq = Seq::new(seq).unwrap();
    EditedEvent { conversation: with(2), seq, revision, text, edited_at: Timestamp(1) }
}

fn as_edited(seq: u64, revision: u64) -> Entry {
    let EditedEvent { text, edited_at, .. } = edited(seq, revision);
    Entry { text, edited_at: Some(edited_at), revision, ..entry(2, seq) }
}

/// The place and revision of the next change, in whichever way it is told.
async fn next_change(updates: &mut Updates) -> (u64, u64) {
    match next(updates).await {
        Update::Changed(entry) => (entry.seq.get(), entry.revision),
        Update::Event(event) => {
            let change = event.change().unwrap_or_else(|| panic!("{event:?}"));
            (change.seq.get(), change.revision)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_is_passed_on_in_its_order_and_a_lost_one_is_fetched_before_what_follows() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 4, 4)]).await;
    peer.sync(Vec::new(), false).await;
    for revision in [1, 1, 3] {
        peer.push(&edited(4, revision)).await;
    }
    let asked = peer.sync_changes(Vec::new(), vec![as_edited(3, 2), as_edited(4, 3)], false).await;
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&1));
    // Late, and told already.
    peer.push(&edited(3, 2)).await;
    peer.push(&edited(4, 4)).await;
    for expected in [(4, 1), (3, 2), (4, 3), (4, 4)] {
        assert_eq!(next_change(&mut updates).await, expected);
    }
    assert_eq!(updates.cursors().get(&with(2)), Some(&Cursor { seq: 4, revision: 4 }));
}

#[tokio::test]
async fn a_change_that_overtakes_its_message_is_in_it_when_it_comes() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 4, 4)]).await;
    peer.sync(Vec::new(), false).await;
    peer.push(&edited(5, 1)).await;
    let asked = peer.sync(vec![as_edited(5, 1)], false).await;
    assert_eq!(asked.have.get(&with(2)), Some(&4));
    peer.push(&NewEvent(entry(2, 5))).await;
    peer.push(&NewEvent(entry(2, 6))).await;
    for (seq, text) in [(5, "revision 1"), (6, "message 6")] {
        let Update::Message(entry) = next(&mut updates).await else { panic!("a message") };
        assert_eq!((entry.seq.get(), entry.text.as_str()), (seq, text));
    }
}

#[tokio::test]
async fn what_changed_while_one_was_away_is_asked_for_page_by_page() {
    let edge = FakeEdge::start().await;
    let (chat, mut updates, mut peer) =
        sign_in(&edge, vec![Standing { revision: 7, ..unread(2, 4, 4) }]).await;
    let asked = peer.sync(Vec::new(), false).await;
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&7));
    drop(peer);
    assert!(matches!(next(&mut updates).await, Update::Offline { .. }));
    let mut peer = edge.accept_session("t2", vec![Standing { revision: 10, ..unread(2, 4, 4) }]).await;
    assert!(matches!(next(&mut updates).await, Update::Online(_)));
    let asked = peer.sync_changes(Vec::new(), vec![as_edited(2, 8)], true).await;
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&7));
    let asked = peer.sync_changes(Vec::new(), vec![as_edited(1, 10)], false).await;
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&8));
    assert_eq!(next_change(&mut updates).await, (2, 8));
    assert_eq!(next_change(&mut updates).await, (1, 10));
    drop(chat);
}

#[tokio::test]
async fn a_restarted_application_is_not_told_an_older_state_than_it_has() {
    let edge = FakeEdge::start().await;
    // It may have had message 5 as of revision 8 by a sync, with 4 as the last revision without a gap.
    let cursors = HashMap::from([(with(2), Cursor { seq: 5, revision: 4 })]);
    let (_chat, mut updates) = Chat::resume(&edge.address, "t1".into(), cursors, options());
    let mut peer = edge.accept_session("t2", vec![Standing { revision: 8, ..unread(2, 5, 5) }]).await;
    assert!(matches!(next(&mut updates).await, Update::Online(_)));
    let (call, _) = peer.expect::<message::Sync>().await;
    peer.push(&edited(5, 5)).await;
    let changed = vec![as_edited(5, 8)];
    peer.ok(&call, &message::Missed { messages: Vec::new(), changed, more: false }).await;
    assert_eq!(next_change(&mut updates).await, (5, 8));
    // The push could not be trusted, so it was asked once more.
    let asked = peer.sync(Vec::new(), false).await;
    assert_eq!(asked.revisions.unwrap().get(&with(2)), Some(&8));
}

/// Another device may have read further than that before this one asks.
#[tokio::test]
async fn what_is_said_in_a_group_is_asked_for_from_the_notice_of_joining_on() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let seq = Some(5.try_into().unwrap());
    peer.push(&group::JoinedEvent { group: group_id(), name: "team".into(), by: user_id(2), seq }).await;
    assert!(matches!(next(&mut updates).await, Update::Event(Event::GroupJoined(_))));
    let asked = peer.sync(vec![in_group(5)], false).await;
    assert_eq!(asked.have.get(&Conversation::group(group_id())), Some(&4));
}

#[tokio::test]
async fn joining_brings_what_was_said_since_and_leaving_forgets_the_group() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let joined = || group::JoinedEvent { group: group_id(), name: "team".into(), by: user_id(2), seq: None };
    peer.push(&joined()).await;
    assert!(matches!(next(&mut updates).await, Update::Event(Event::GroupJoined(_))));
    peer.sync(vec![in_group(5), in_group(6)], false).await;
    for seq in [5, 6] {
        let Update::Message(entry) = next(&mut updates).await else { panic!("a message") };
        assert_eq!(entry, in_group(seq));
    }
    let there = Conversation::group(group_id());
    assert_eq!(updates.cursors().get(&there).map(|cursor| cursor.seq), Some(6));

    // Put out while a sync is under way, whose answer is of the time before.
    peer.push_raw("session.resync", &[]).await;
    let (call, asked) = peer.expect::<message::Sync>().await;
    assert_eq!(asked.have.get(&there), Some(&6));
    peer.push(&group::KickedEvent { group: group_id(), by: user_id(2) }).await;
    assert!(matches!(next(&mut updates).await, Update::Event(Event::Resync)));
    assert!(matches!(next(&mut updates).await, Update::Event(Event::GroupKicked(_))));
    assert_eq!(updates.cursors().get(&there), None);
    peer.ok(&call, &message::Missed { messages: vec![in_group(7)], changed: Vec::new(), more: false }).await;

    // In again: nothing between the two times is waited for.
    peer.push(&joined()).await;
    assert!(matches!(next(&mut updates).await, Update::Event(Event::GroupJoined(_))));
    let asked = peer.sync(vec![in_group(50)], false).await;
    assert_eq!(asked.have.get(&there), None);
    peer.push(&NewEvent(in_group(51))).await;
    for seq in [50, 51] {
        let Update::Message(entry) = next(&mut updates).await else { panic!("a message") };
        assert_eq!(entry.seq.get(), seq);
    }
}

#[tokio::test]
async fn a_group_that_was_left_and_joined_while_away_goes_on_where_one_may_read() {
    let edge = FakeEdge::start().await;
    let there = Conversation::group(group_id());
    let cursors = HashMap::from([(there, Cursor { seq: 6, revision: 0 })]);
    let (_chat, mut updates) = Chat::resume(&edge.address, "t1".into(), cursors, options());
    let mut peer = edge.accept_session("t2", vec![standing(50, 51, 49)]).await;
    assert!(matches!(next(&mut updates).await, Update::Online(_)));
    let asked = peer.sync(vec![in_group(50), in_group(51)], false).await;
    assert_eq!(asked.have.get(&there), Some(&49));
    let Update::Message(entry) = next(&mut updates).await else { panic!("a message") };
    assert_eq!(entry.seq.get(), 50);
}

#[tokio::test]
async fn a_server_that_leaves_out_what_one_may_not_read_is_not_asked_for_ever() {
    let edge = FakeEdge::start().await;
    let there = Conversation::group(group_id());
    let cursors = HashMap::from([(there, Cursor::default())]);
    let (_chat, mut updates) = Chat::resume(&edge.address, "t1".into(), cursors, options());
    // The message service was away when the session was made, so nobody said where the conversation begins.
    let mut peer = edge.accept().await;
    let call = peer.call().await;
    let mut session = fake_edge::session("t2", Vec::new());
    session.unread = Err(broker_schemas::Error::unavailable("away")).into();
    peer.ok(&call, &session).await;
    assert!(matches!(next(&mut updates).await, Update::Online(_)));
    let asked = peer.sync(vec![in_group(50)], false).await;
    assert_eq!(asked.have.get(&there), Some(&0));
    let Update::Message(entry) = next(&mut updates).await else { panic!("a message") };
    assert_eq!(entry.seq.get(), 50);
    peer.push_raw("session.resync", &[]).await;
    assert_eq!(peer.sync(Vec::new(), false).await.have.get(&there), Some(&50));
}

#[tokio::test]
async fn events_about_groups_and_people_at_the_keyboard_arrive_as_what_they_are() {
    let edge = FakeEdge::start().await;
    let (_chat, mut updates, mut peer) = sign_in(&edge, vec![unread(2, 4, 4)]).await;
    peer.sync(Vec::new(), false).await;
    let (group, by, name) = (group_id(), user_id(2), || "bob".to_owned());
    let asked = group::AskedEvent { group, user: by, name: name(), display_name: name() };
    peer.push(&message::TypingEvent { conversation: with(2), user: by }).await;
    peer.push(&group::DissolvedEvent { group, by }).await;
    peer.push(&group::AnnouncedEvent { group, by, text: "news".into() }).await;
    peer.push(&asked).await;
    let seq = entry(2, 4).seq;
    let reacted = ReactedEvent {
        conversation: with(2),
        seq,
        revision: 1,
        user: by,
        reaction: "👍".into(),
        removed: false,
    };
    peer.push(&reacted).await;
    peer.push(&group::LeftEvent { group }).await;
    for expected in [
        Event::Typing(message::TypingEvent { conversation: with(2), user: by }),
        Event::GroupDissolved(group::DissolvedEvent { group, by }),
        Event::GroupAnnounced(group::AnnouncedEvent { group, by, text: "news".into() }),
        Event::GroupAsked(asked),
        Event::Reacted(reacted),
        Event::GroupLeft(group::LeftEvent { group }),
    ] {
        let Update::Event(event) = next(&mut updates).await else { panic!("an event") };
        assert_eq!(event, expected);
    }
}

#[tokio::test]
async fn a_draft_carries_all_that_a_message_can_have_and_too_much_is_refused_here() {
    let edge = FakeEdge::start().await;
    let (chat, _updates, mut peer) = sign_in(&edge, Vec::new()).await;
    peer.sync(Vec::new(), false).await;
    let to = Recipient::Group(group_id());
    let limit = Duration::from_secs(10);
    let draft =
        Draft::text("here").quoting(Seq::new(3).unwrap()).mentioning([user_id(2)]).carrying("place", "{}");
    let serve = async {
        let (call, request) = peer.expect::<message::Send>().await;
        let sent = message::Sent {
            conversation: in_group(4).conversation,
            seq: in_group(4).seq,
            sent_at: Timestamp(1),
        };
        peer.ok(&call, &sent).await;
        request
    };
    let (answer, request) = tokio::join!(chat.send(to, Uuid::from_u128(9), draft, limit), serve);
    answer.unwrap();
    assert_eq!((request.to, &*request.text, request.quote), (to, "here", Seq::new(3).ok()));
    assert_eq!(request.mentions.unwrap().into_inner(), [user_id(2)]);
    assert_eq!(&*request.payload.unwrap().kind, "place");

    let long = Draft::text("").carrying("place", "x".repeat(message::PAYLOAD_BYTES + 1));
    let refused = chat.send(to, Uuid::from_u128(10), long, limit).await.unwrap_err();
    assert!(refused.to_string().contains("payload.data"), "{refused}");
}
