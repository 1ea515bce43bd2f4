//! What the screen shows, on a terminal in memory.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::model::tests::{entry, signed_in, with};
use crate::model::{Key, Mode};

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

fn type_line(state: &mut State, line: &str) {
    update(state, Input::Paste(line.into()));
    update(state, Input::Key(Key::Enter));
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
    update(&mut state, Input::Update(natter_client::Update::Message(entry(2, 2, 2, "psst"))));
    let shown = screen(&state);
    for part in ["● bob 1 new", "○ Carol", "connected", "/help", "Tab", "PgUp"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(!shown.contains("psst"));
}

#[test]
fn an_open_conversation_shows_what_is_new_what_waits_and_nothing_that_acts() {
    let mut state = signed_in(Mode::Screen);
    let evil = "日本語 \x1b[2J\u{202e}";
    update(&mut state, Input::Update(natter_client::Update::Message(entry(2, 2, 2, evil))));
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
        let update_of = natter_client::Update::Message(entry(2, 2, seq, &format!("line {seq}.")));
        update(&mut state, Input::Update(update_of));
    }
    type_line(&mut state, "/open bob");
    assert!(screen(&state).contains("line 59.") && !screen(&state).contains("line 30."));
    let mut effects = Vec::new();
    for _ in 0..4 {
        let mut drawn = Input::Drawn { page: 0, scroll_max: 0 };
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|frame| drawn = draw(frame, &state)).unwrap();
        update(&mut state, drawn);
        effects.extend(update(&mut state, Input::Key(Key::PageUp)));
    }
    assert!(screen(&state).contains("line 2."));
    let first = broker_schemas::Seq::new(2).ok();
    assert!(effects.contains(&Effect::History { conversation: with(2), before: first }), "{effects:?}");
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
