//! The model, without a terminal and without a network.

mod groups;
mod messages;
mod pages;

use broker_schemas::rights::Role;
use broker_schemas::{
    Code, Conversation, Error, Fetched, GroupId, Outcome, Seq, SessionId, Timestamp, UserId, admin,
    announcement, friend, group, message, user,
};
use natter_client::{CallError, Closed, Event, Update};
use uuid::Uuid;

use super::*;

fn id(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

/// The conversation of alice, user 1, with `peer`.
pub(crate) fn with(peer: u64) -> Conversation {
    Conversation::direct(id(1), id(peer)).unwrap()
}

pub(crate) fn entry(from: u64, peer: u64, seq: u64, text: &str) -> message::Entry {
    message::Entry {
        conversation: with(peer),
        seq: Seq::new(seq).unwrap(),
        from: id(from),
        client_id: Some(Uuid::from_u128(u128::from(seq))),
        text: text.into(),
        sent_at: Timestamp(1_700_000_000_000),
        quote: None,
        mentions: Vec::new(),
        payload: None,
        notice: None,
        edited_at: None,
        recalled_by: None,
        reactions: Vec::new(),
        revision: 0,
        campaign: None,
    }
}

pub(crate) fn team() -> GroupId {
    GroupId::new(9).unwrap()
}

/// The conversation of the group team.
pub(crate) fn in_team() -> Conversation {
    Conversation::group(team())
}

pub(crate) fn said_in_team(from: u64, seq: u64, text: &str) -> message::Entry {
    message::Entry { conversation: in_team(), ..entry(from, 2, seq, text) }
}

pub(crate) fn happened_in_team(by: u64, seq: u64, change: group::Change) -> message::Entry {
    message::Entry { notice: Some(change), client_id: None, ..said_in_team(by, seq, "") }
}

fn session() -> user::Session {
    let friend = |number, name: &str| friend::FriendEntry {
        user: id(number),
        name: name.into(),
        display_name: name.into(),
        online: number == 2,
        since: Timestamp(0),
    };
    user::Session {
        user: id(1),
        name: "alice".into(),
        display_name: "Alice".into(),
        session: SessionId::new(1).unwrap(),
        token: "t".into(),
        expires_at: Timestamp(i64::MAX),
        friends: Fetched::Available(vec![friend(2, "bob"), friend(3, "Carol")]),
        groups: Fetched::Available(vec![group::GroupEntry {
            group: team(),
            name: "team".into(),
            role: Role::Owner,
            members: 3,
            unread: None,
        }]),
        unread: Fetched::Available(vec![standing(with(2), 2, 1), standing(in_team(), 4, 4)]),
    }
}

fn standing(conversation: Conversation, last_seq: u64, read_seq: u64) -> message::Standing {
    message::Standing { conversation, first_seq: 1, last_seq, read_seq, revision: 0 }
}

/// Alice, signed in, with the friends bob (2, online) and Carol (3), and owner of the group team, of which all was read.
pub(crate) fn signed_in(mode: Mode) -> State {
    let mut state = State::resuming(mode);
    update(&mut state, Input::Update(Update::Online(Box::new(session()))));
    state
}

pub(crate) fn type_line(state: &mut State, line: &str) -> Vec<Effect> {
    for c in line.chars() {
        update(state, Input::Key(Key::Char(c)));
    }
    update(state, Input::Key(Key::Enter))
}

fn arrives(state: &mut State, entry: message::Entry) -> Vec<Effect> {
    update(state, Input::Update(Update::Message(entry)))
}

fn happens(state: &mut State, event: Event) -> Vec<Effect> {
    update(state, Input::Update(Update::Event(event)))
}

fn said(effects: &[Effect]) -> Vec<String> {
    let line = |effect: &Effect| if let Effect::Say(line) = effect { Some(line.to_string()) } else { None };
    effects.iter().filter_map(line).collect()
}

fn refused(message: &str) -> CallError {
    CallError::Refused { error: Error::new(Code::Forbidden, message), outcome: Outcome::Rejected }
}

/// The ids of what is being sent.
fn sent(effects: &[Effect]) -> Vec<Uuid> {
    let id =
        |effect: &Effect| if let Effect::Send { client_id, .. } = effect { Some(*client_id) } else { None };
    effects.iter().filter_map(id).collect()
}

#[test]
fn the_form_asks_for_both_and_says_what_the_server_answered() {
    let mut state = State::signed_out(Mode::Screen, "");
    type_line(&mut state, "alice");
    assert_eq!(update(&mut state, Input::Key(Key::Enter)), []);
    let effects = type_line(&mut state, "secret password");
    let expected =
        Effect::SignIn { name: "alice".into(), password: "secret password".into(), register: false };
    assert_eq!(effects, [expected]);
    // Impatience starts nothing twice.
    assert_eq!(update(&mut state, Input::Key(Key::Enter)), []);
    update(&mut state, Input::Answer(Answer::SignedIn(Err("wrong name or password".into()))));
    let Phase::SignIn(form) = &state.phase else { panic!("the form") };
    assert_eq!(form.error, Some(Safe::line("wrong name or password")));
    assert!(!form.busy);
}

#[test]
fn the_form_registers_when_its_box_is_ticked() {
    let mut state = State::signed_out(Mode::Screen, "alice");
    update(&mut state, Input::Paste("password one\n".into()));
    update(&mut state, Input::Key(Key::Next));
    update(&mut state, Input::Key(Key::Char(' ')));
    let effects = update(&mut state, Input::Key(Key::Enter));
    assert_eq!(
        effects,
        [Effect::SignIn { name: "alice".into(), password: "password one".into(), register: true }]
    );
}

#[test]
fn what_is_shown_is_read_and_the_server_is_told_once_at_a_time() {
    let mut state = signed_in(Mode::Screen);
    assert!(
        !arrives(&mut state, entry(2, 2, 2, "hi")).iter().any(|effect| matches!(effect, Effect::Read { .. }))
    );
    assert_eq!(state.unread_in(with(2)), 1);

    let effects = type_line(&mut state, "/open BOB");
    let read = |seq| Effect::Read { conversation: with(2), seq: Seq::new(seq).unwrap() };
    assert!(effects.contains(&read(2)), "{effects:?}");
    assert_eq!((state.unread_in(with(2)), state.view.unread_from), (0, Some(2)));

    // While the server is being told, a further one waits.
    assert_eq!(arrives(&mut state, entry(2, 2, 3, "there")), []);
    let told = Answer::Read { conversation: with(2), seq: Seq::new(2).unwrap(), result: Ok(()) };
    assert_eq!(update(&mut state, Input::Answer(told)), [read(3)]);
}

#[test]
fn what_is_scrolled_away_is_not_read() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    update(&mut state, Input::Drawn { page: 10, scroll_max: 30, scroll: 0 });
    update(&mut state, Input::Key(Key::PageUp));
    assert_eq!(arrives(&mut state, entry(2, 2, 2, "hi")), []);
    assert_eq!(state.unread_in(with(2)), 1);
    let effects = update(&mut state, Input::Key(Key::PageDown));
    assert_eq!(effects, [Effect::Read { conversation: with(2), seq: Seq::new(2).unwrap() }]);
}

#[test]
fn a_message_is_pending_until_it_comes_back_in_its_place() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    let ids = sent(&type_line(&mut state, "hello"));
    let stage = |state: &State| state.threads[&with(2)].pending.first().map(|pending| pending.stage.clone());
    assert_eq!(stage(&state), Some(Stage::Sending));
    let result =
        Ok(message::Sent { conversation: with(2), seq: Seq::new(3).unwrap(), sent_at: Timestamp(1) });
    update(&mut state, Input::Answer(Answer::Sent { conversation: with(2), client_id: ids[0], result }));
    assert_eq!(stage(&state), Some(Stage::Sent));
    arrives(&mut state, message::Entry { client_id: Some(ids[0]), ..entry(1, 2, 3, "hello") });
    assert_eq!(stage(&state), None);
    assert_eq!(state.threads[&with(2)].messages.len(), 1);
}

#[test]
fn a_failed_message_says_why_and_is_retried_under_the_same_id() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    let first = sent(&type_line(&mut state, "hello"));
    let answer =
        Answer::Sent { conversation: with(2), client_id: first[0], result: Err(refused("muted until noon")) };
    let effects = update(&mut state, Input::Answer(answer));
    assert_eq!(said(&effects), ["* not sent to bob: muted until noon; /retry tries again"]);
    assert_eq!(sent(&type_line(&mut state, "/retry")), first);
}

#[test]
fn a_retry_is_offered_only_where_it_may_help() {
    let mut state = signed_in(Mode::Plain);
    type_line(&mut state, "/open bob");
    let first = sent(&type_line(&mut state, "hello"));
    let limited = Error::rate_limited("too fast", Duration::from_secs(1));
    let limited = CallError::Refused { outcome: limited.outcome(), error: limited };
    let answers = [
        (refused("to: not your friend"), "* not sent to bob: not your friend"),
        (limited, "* not sent to bob: too fast; /retry tries again"),
        (CallError::NotSent("offline".into()), "* not sent to bob: not sent: offline; /retry tries again"),
    ];
    for (error, line) in answers {
        let answer = Answer::Sent { conversation: with(2), client_id: first[0], result: Err(error) };
        assert_eq!(said(&update(&mut state, Input::Answer(answer))), [line]);
    }
}

#[test]
fn keys_walk_through_friends_and_groups_in_the_order_of_the_list() {
    let mut state = signed_in(Mode::Screen);
    let mut open = |key| {
        update(&mut state, Input::Key(key));
        state.open
    };
    assert_eq!(open(Key::Next), Some(with(2)));
    assert_eq!(open(Key::Next), Some(with(3)));
    assert_eq!(open(Key::Next), Some(in_team()));
    assert_eq!(open(Key::Down), Some(with(2)));
    assert_eq!(open(Key::Previous), Some(in_team()));
}

#[test]
fn friendship_comes_and_goes_with_words_that_say_what_to_do() {
    let mut state = signed_in(Mode::Plain);
    let event = |event| Input::Update(Update::Event(event));
    let requested =
        friend::RequestedEvent { user: id(4), name: "dave".into(), display_name: "Dave\x1b[31m".into() };
    let lines = said(&update(&mut state, event(Event::Requested(requested))));
    assert_eq!(lines, ["* dave asks to be your friend: /accept dave or /decline dave"]);
    assert_eq!(
        type_line(&mut state, "/accept dave"),
        [Effect::Relate { verb: Verb::Accept, name: "dave".into() }]
    );
    assert_eq!(state.people[&id(4)].display_name.as_str(), "Dave␛[31m");

    let accepted =
        friend::AcceptedEvent { user: id(4), name: "dave".into(), display_name: "Dave".into(), online: true };
    update(&mut state, event(Event::Accepted(accepted)));
    assert_eq!(sent(&type_line(&mut state, "/msg dave hi")).len(), 1);
    let gone = Event::Presence(friend::PresenceEvent { user: id(4), online: false });
    assert_eq!(said(&update(&mut state, event(gone))), ["* dave is offline"]);
    update(&mut state, event(Event::Removed(friend::RemovedEvent { user: id(4) })));
    assert_eq!(state.people[&id(4)].relation, Relation::Stranger);
    assert!(said(&type_line(&mut state, "/open dave"))[0].contains("dave"));
}

#[test]
fn plain_mode_writes_each_message_as_one_harmless_line() {
    let mut state = signed_in(Mode::Plain);
    let effects = arrives(&mut state, entry(2, 2, 2, "hi\nalice: \x1b[2J"));
    assert_eq!(said(&effects), ["bob: hi␊alice: ␛[2J"]);
    assert_eq!(said(&arrives(&mut state, entry(1, 2, 3, "hello"))), ["-> bob: hello"]);
    // Seen again, as after a reconnect: nothing.
    assert_eq!(said(&arrives(&mut state, entry(1, 2, 3, "hello"))), Vec::<String>::new());
}

#[test]
fn a_password_is_asked_for_and_never_becomes_a_message() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    type_line(&mut state, "/password");
    assert_eq!(state.asking, Some(Asking::OldPassword));
    assert!(sent(&type_line(&mut state, "old one")).is_empty());
    let effects = type_line(&mut state, "/new one");
    assert_eq!(effects, [Effect::ChangePassword { old: "old one".into(), new: "/new one".into() }]);

    type_line(&mut state, "/password");
    update(&mut state, Input::Key(Key::Escape));
    assert_eq!(sent(&type_line(&mut state, "a message again")).len(), 1);
}

#[test]
fn a_lost_connection_is_said_once_and_the_next_one_reads_on() {
    let mut state = signed_in(Mode::Plain);
    let offline = || {
        let reason = Closed { code: None, message: "gone".into() };
        Input::Update(Update::Offline { reason, retry_in: std::time::Duration::ZERO })
    };
    assert_eq!(said(&update(&mut state, offline())).len(), 1);
    assert_eq!(said(&update(&mut state, offline())).len(), 0);
    // Shown while offline: the server is told after the next sign-in.
    assert!(arrives(&mut state, entry(2, 2, 2, "hi")).iter().all(|effect| matches!(effect, Effect::Say(_))));
    let effects = update(&mut state, Input::Update(Update::Online(Box::new(session()))));
    assert!(effects.contains(&Effect::Read { conversation: with(2), seq: Seq::new(2).unwrap() }));
}

#[test]
fn the_end_of_a_session_leaves_nothing_of_it_on_the_screen() {
    let mut state = signed_in(Mode::Screen);
    arrives(&mut state, entry(2, 2, 2, "secret"));
    let closed = Closed { code: Some("password_changed".into()), message: "signed out elsewhere".into() };
    update(&mut state, Input::Update(Update::Over(closed)));
    assert!(state.threads.is_empty() && state.people.is_empty() && state.me.is_none());
    let Phase::SignIn(form) = &state.phase else { panic!("the form") };
    assert_eq!(form.name.as_str(), "alice");
}

#[test]
fn a_stale_session_falls_back_on_the_password_once() {
    let spare = Some(("alice".into(), "pw".into()));
    let mut state = State { spare, ..State::resuming(Mode::Plain) };
    let over = || Input::Update(Update::Over(Closed { code: None, message: "void".into() }));
    let effects = update(&mut state, over());
    assert_eq!(effects, [Effect::SignIn { name: "alice".into(), password: "pw".into(), register: false }]);
    assert!(update(&mut state, over()).contains(&Effect::Quit));
}

fn announced(revision: u32, text: Option<&str>) -> Input {
    let event = admin::AnnouncedEvent {
        announcement: 3,
        revision,
        text: text.map(str::to_owned),
        until: Timestamp(4_000_000_000_000),
    };
    Input::Update(Update::Announcement(event))
}

#[test]
fn what_the_platform_says_is_marked_and_an_announcement_that_was_shown_is_seen() {
    let mut state = signed_in(Mode::Plain);
    let event = admin::BroadcastEvent { text: "back\nsoon \x1b[2J".into(), at: Timestamp(1) };
    let effects = happens(&mut state, Event::Broadcast(event));
    assert_eq!(said(&effects), ["* from the platform: back␊soon ␛[2J"]);

    let effects = update(&mut state, announced(1, Some("closed on Sunday")));
    let line = &said(&effects)[0];
    assert!(line.starts_with("* from the platform, announcement 3, until "), "{line}");
    assert!(line.ends_with(": closed on Sunday"), "{line}");
    let seen = announcement::SeenRevision { announcement: 3, revision: 1 };
    assert_eq!(effects.last(), Some(&Effect::Seen(seen)));
    let effects = update(&mut state, announced(2, Some("closed on Monday")));
    assert!(said(&effects)[0].contains("announcement 3, changed, until"));
    let effects = update(&mut state, announced(2, None));
    assert_eq!(said(&effects), ["* from the platform: announcement 3 is withdrawn"]);
    assert_eq!(effects.len(), 1);
}

#[test]
fn what_the_platform_says_lies_over_the_conversation_until_it_is_closed() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    update(&mut state, announced(1, Some("two\nlines")));
    let event = admin::BroadcastEvent { text: "and one".into(), at: Timestamp(1) };
    happens(&mut state, Event::Broadcast(event));
    let lines: Vec<_> = state.panel.as_ref().expect("a panel").lines.iter().map(Safe::as_str).collect();
    assert_eq!(lines[1..], ["two", "lines", "", "from the platform:", "and one"]);
    update(&mut state, Input::Key(Key::Escape));
    assert!(state.panel.is_none());
}

#[test]
fn somebody_who_is_banned_reads_why_and_plain_mode_ends() {
    let closed = || {
        let message = "you are banned until tomorrow: spam".to_owned();
        Input::Update(Update::Over(Closed { code: Some("banned".into()), message }))
    };
    let effects = update(&mut signed_in(Mode::Plain), closed());
    assert_eq!(said(&effects), ["* signed out: you are banned until tomorrow: spam"]);
    assert!(effects.contains(&Effect::Quit));
    let mut state = signed_in(Mode::Screen);
    update(&mut state, closed());
    let Phase::SignIn(form) = &state.phase else { panic!("the form") };
    assert!(form.error.as_ref().is_some_and(|error| error.as_str().contains("spam")));
}

#[test]
fn a_report_says_what_became_of_it() {
    let mut state = signed_in(Mode::Plain);
    type_line(&mut state, "/open bob");
    let about = About::Message(with(2), Seq::new(4).unwrap());
    assert_eq!(type_line(&mut state, "/report 4 spam"), [Effect::Report { about, why: "spam".into() }]);
    let about = About::User("mallory".into());
    assert_eq!(type_line(&mut state, "/report mallory spam"), [Effect::Report { about, why: "spam".into() }]);
    let answer = |result| Input::Answer(Answer::Reported { what: "#4".into(), result });
    assert_eq!(said(&update(&mut state, answer(Ok(())))), ["* #4 is reported: a moderator will look at it"]);
    let lines = said(&update(&mut state, answer(Err(refused("20 reports a day")))));
    assert_eq!(lines, ["* #4 is not reported: 20 reports a day"]);
}
