//! What the screen shows, on a terminal in memory.

use broker_schemas::group::Change;
use broker_schemas::{Seq, UserId, message, user};
use natter_client::Update;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::model::tests::{entry, happened_in_team, in_team, said_in_team, signed_in, type_line, with};
use crate::model::{Answer, Key, Mode, Page};

/// The rows of the screen.
fn rows(state: &State, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| drop(draw(frame, state))).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().chunks(usize::from(width));
    cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
}

fn screen(state: &State) -> String {
    rows(state, 100, 30).join("\n")
}

fn arrives(state: &mut State, entry: message::Entry) {
    update(state, Input::Update(Update::Message(entry)));
}

fn happens(state: &mut State, event: natter_client::Event) {
    update(state, Input::Update(Update::Event(event)));
}

#[test]
fn a_password_is_never_drawn() {
    let mut state = State::signed_out(Mode::Screen, "alice");
    update(&mut state, Input::Paste("hunter22".into()));
    let shown = screen(&state);
    assert!(shown.contains("alice") && shown.contains("••••••••") && !shown.contains("hunter"), "{shown}");

    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/password");
    update(&mut state, Input::Paste("hunter22".into()));
    let shown = screen(&state);
    assert!(shown.contains("present password") && !shown.contains("hunter"), "{shown}");
}

#[test]
fn friends_unread_counts_and_the_way_to_help_are_in_sight() {
    let mut state = signed_in(Mode::Screen);
    update(&mut state, Input::Update(Update::Message(entry(2, 2, 2, "psst"))));
    let shown = screen(&state);
    for part in ["● bob 1 new", "○ Carol", "connected", "/help", "Tab", "PgUp"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(!shown.contains("psst"));
}

#[test]
fn the_platform_stands_apart_from_who_is_no_friend_any_more() {
    let mut state = signed_in(Mode::Screen);
    for (user, name) in [(5, "erin"), (6, "natter"), (7, "zoe")] {
        arrives(&mut state, entry(user, user, 1, "hello"));
        let user = UserId::new(user).unwrap();
        let profile = user::Profile { user, name: name.into(), display_name: name.into(), online: false };
        update(&mut state, Input::Answer(Answer::Profile { user, result: Ok(profile) }));
    }
    let shown = rows(&state, 100, 30);
    let at = |what: &str| {
        shown.iter().position(|row| row.contains(what)).unwrap_or_else(|| panic!("{what}: {shown:#?}"))
    };
    let order = ["The platform", "natter", "No friends any more", "erin", "zoe"].map(at);
    assert!(order.is_sorted(), "{order:?}: {shown:#?}");
}

#[test]
fn an_open_conversation_shows_what_is_new_what_waits_and_nothing_that_acts() {
    let mut state = signed_in(Mode::Screen);
    let evil = "日本語 \x1b[2J\u{202e}";
    update(&mut state, Input::Update(Update::Message(entry(2, 2, 2, evil))));
    type_line(&mut state, "/open bob");
    type_line(&mut state, "on my way");
    let shown = screen(&state);
    for part in ["── new ──", "␛[2J", "on my way", "sending…", "to bob"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(!shown.contains(['\x1b', '\u{202e}']));
}

#[test]
fn paging_up_shows_older_lines_and_asks_for_more_at_the_top() {
    let mut state = signed_in(Mode::Screen);
    for seq in 2..60 {
        let update_of = Update::Message(entry(2, 2, seq, &format!("line {seq}.")));
        update(&mut state, Input::Update(update_of));
    }
    type_line(&mut state, "/open bob");
    assert!(screen(&state).contains("line 59.") && !screen(&state).contains("line 30."));
    let mut effects = Vec::new();
    for _ in 0..4 {
        let mut drawn = nothing_drawn();
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|frame| drawn = draw(frame, &state)).unwrap();
        update(&mut state, drawn);
        effects.extend(update(&mut state, Input::Key(Key::PageUp)));
    }
    assert!(screen(&state).contains("line 2."));
    let page = Page::Before(Seq::new(2).ok());
    assert!(effects.contains(&Effect::History { conversation: with(2), page }), "{effects:?}");
}

#[test]
fn no_size_of_a_terminal_is_too_small_to_draw_on() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    type_line(&mut state, "a message that is longer than that");
    for (width, height) in [(1, 1), (2, 5), (8, 8), (20, 4), (200, 60)] {
        rows(&state, width, height);
        update(&mut state, Input::Paste("/help".into()));
        update(&mut state, Input::Key(Key::Enter));
        rows(&state, width, height);
        rows(&State::signed_out(Mode::Screen, "alice"), width, height);
    }
}

#[test]
fn the_form_says_how_to_make_an_account() {
    let shown = screen(&State::signed_out(Mode::Screen, ""));
    for part in ["[ ] make a new account", "Tab to the box, Space ticks it"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn groups_are_listed_with_what_is_new_and_whether_one_is_pointed_out() {
    let mut state = signed_in(Mode::Screen);
    arrives(&mut state, said_in_team(2, 5, "hello"));
    assert!(screen(&state).contains("# team 1 new ") && !screen(&state).contains("new @"));
    let mentions = vec![UserId::new(1).unwrap()];
    arrives(&mut state, message::Entry { mentions, ..said_in_team(2, 6, "@alice?") });
    assert!(screen(&state).contains("# team 2 new @"), "{}", screen(&state));
}

#[test]
fn a_message_shows_its_number_what_it_answers_and_what_became_of_it() {
    let mut state = signed_in(Mode::Screen);
    arrives(&mut state, said_in_team(2, 5, "tea?"));
    let reaction = message::Reaction { reaction: "👍".into(), count: 2, mine: true };
    let answer = message::Entry {
        quote: Seq::new(5).ok(),
        reactions: vec![reaction],
        edited_at: Some(broker_schemas::Timestamp(1)),
        ..said_in_team(3, 6, "yes, at five")
    };
    arrives(&mut state, answer);
    arrives(&mut state, happened_in_team(1, 7, Change::Left { user: UserId::new(2).unwrap() }));
    let recalled = message::Entry { recalled_by: UserId::new(2).ok(), ..said_in_team(2, 8, "") };
    arrives(&mut state, recalled);
    type_line(&mut state, "/open team");
    let shown = screen(&state);
    for part in [
        "#5 bob: tea?",
        "#6 Carol: > #5 bob: tea?",
        "yes, at five (edited) [👍",
        "#7 * bob left",
        "#8 bob: message recalled",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn what_points_out_the_user_stands_out() {
    let mut state = signed_in(Mode::Screen);
    let mentions = vec![UserId::new(1).unwrap()];
    arrives(&mut state, message::Entry { mentions, ..said_in_team(2, 5, "@alice, look") });
    type_line(&mut state, "/open team");
    let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
    terminal.draw(|frame| drop(draw(frame, &state))).unwrap();
    let cell = terminal.backend().buffer().content().iter().find(|cell| cell.symbol() == "@").unwrap();
    assert_eq!((cell.fg, cell.modifier), (Color::Yellow, Modifier::BOLD));
}

#[test]
fn an_announcement_who_writes_and_who_has_read_are_in_sight() {
    let mut state = signed_in(Mode::Screen);
    let announced = Change::Announced { text: "tea at five".try_into().unwrap() };
    arrives(&mut state, happened_in_team(2, 5, announced));
    arrives(&mut state, said_in_team(1, 6, "good"));
    type_line(&mut state, "/open team");
    for user in [2, 3].map(|user| UserId::new(user).unwrap()) {
        let (conversation, seq) = (in_team(), Seq::new(6).unwrap());
        happens(&mut state, natter_client::Event::Read(message::ReadEvent { conversation, user, seq }));
    }
    let user = UserId::new(2).unwrap();
    happens(&mut state, natter_client::Event::Typing(message::TypingEvent { conversation: in_team(), user }));
    let shown = screen(&state);
    for part in ["Announcement: tea at five", "✓ read by 2", "bob is writing…"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn a_list_lies_over_the_conversation_and_can_be_read_to_its_end() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/help");
    let first = screen(&state);
    assert!(first.contains("/add NAME") && !first.contains("//TEXT"), "{first}");
    for _ in 0..60 {
        update(&mut state, Input::Key(Key::PageDown));
    }
    let last = screen(&state);
    assert!(last.contains("//TEXT") && last.contains("Esc: close"), "{last}");
    update(&mut state, Input::Key(Key::Escape));
    assert!(!screen(&state).contains("//TEXT"));
}

#[test]
fn newer_messages_are_read_on_from_where_one_was() {
    let mut state = signed_in(Mode::Screen);
    let page = |seqs: std::ops::RangeInclusive<u64>| {
        let messages = seqs.map(|seq| entry(2, 2, seq, &format!("line {seq}."))).collect();
        Ok(message::Messages { messages, more: true })
    };
    arrives(&mut state, entry(2, 2, 200, "the last"));
    type_line(&mut state, "/open bob");
    let before = Page::Before(Seq::new(200).ok());
    update(
        &mut state,
        Input::Answer(Answer::History { conversation: with(2), page: before, result: page(150..=199) }),
    );
    type_line(&mut state, "/newer 20");
    let after = Page::After(Seq::new(20).unwrap());
    update(
        &mut state,
        Input::Answer(Answer::History { conversation: with(2), page: after, result: page(21..=70) }),
    );
    let shown = screen(&state);
    assert!(
        shown.contains("line 21.") && !shown.contains("line 70.") && shown.contains("PgDn: newer"),
        "{shown}"
    );
}
