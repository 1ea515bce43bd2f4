//! Walking through what was said.

use super::*;

fn history(conversation: Conversation, page: Page) -> Effect {
    Effect::History { conversation, page }
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

/// The page comes, with the messages `seqs` of bob.
fn comes(state: &mut State, page: Page, seqs: std::ops::RangeInclusive<u64>, more: bool) -> Vec<Effect> {
    let messages = seqs.map(|seq| entry(2, 2, seq, &format!("line {seq}."))).collect();
    let result = Ok(message::Messages { messages, more });
    update(state, Input::Answer(Answer::History { conversation: with(2), page, result }))
}

fn shown(state: &State) -> (u64, u64) {
    let thread = &state.threads[&with(2)];
    (thread.first().unwrap_or_default(), thread.last())
}

#[test]
fn history_is_fetched_once_from_the_oldest_known_message() {
    let mut state = signed_in(Mode::Screen);
    arrives(&mut state, entry(2, 2, 2, "hi"));
    let effects = type_line(&mut state, "/open bob");
    let page = Page::Before(Some(seq(2)));
    assert!(effects.contains(&history(with(2), page)), "{effects:?}");
    assert_eq!(update(&mut state, Input::Key(Key::PageUp)), []);
    comes(&mut state, page, 1..=1, false);
    assert_eq!(shown(&state), (1, 2));
    assert_eq!(update(&mut state, Input::Key(Key::PageUp)), [], "there is nothing older");
}

#[test]
fn a_conversation_that_one_may_read_from_its_middle_has_a_beginning() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    comes(&mut state, Page::Before(None), 40..=60, false);
    assert!(state.threads[&with(2)].complete);
    assert_eq!(update(&mut state, Input::Key(Key::PageUp)), []);
}

#[test]
fn one_can_go_to_a_message_far_up_and_come_back_down() {
    let mut state = signed_in(Mode::Screen);
    for number in 2..=40 {
        arrives(&mut state, entry(2, 2, number, "new"));
    }
    type_line(&mut state, "/open bob");
    assert_eq!(type_line(&mut state, "/history #21"), [history(with(2), Page::Before(Some(seq(21))))]);
    comes(&mut state, Page::Before(Some(seq(21))), 11..=20, true);
    assert_eq!(shown(&state), (11, 20));

    // What comes meanwhile is not shown out of its place, but it counts.
    arrives(&mut state, entry(2, 2, 41, "newer"));
    assert_eq!(shown(&state), (11, 20));
    assert_eq!(state.unread_in(with(2)), 1);

    let after = Page::After(seq(20));
    assert_eq!(update(&mut state, Input::Key(Key::PageDown)), [history(with(2), after)]);
    comes(&mut state, after, 21..=41, false);
    assert_eq!(shown(&state), (11, 41));
    assert_eq!(state.view.from, Some(21), "read on from there");
    assert_eq!(state.unread_in(with(2)), 1, "not seen before it is drawn");
    update(&mut state, Input::Drawn { page: 50, scroll_max: 0, scroll: 0 });
    assert_eq!(state.unread_in(with(2)), 0);
    arrives(&mut state, entry(2, 2, 42, "newest"));
    assert_eq!(shown(&state), (11, 42));
    assert_eq!(said(&type_line(&mut state, "/newer")), ["* there is nothing newer"]);
}

#[test]
fn what_one_sends_is_seen_at_the_end_though_one_looked_further_up() {
    let mut state = signed_in(Mode::Screen);
    for number in 2..=40 {
        arrives(&mut state, entry(2, 2, number, "new"));
    }
    type_line(&mut state, "/open bob");
    type_line(&mut state, "/history 21");
    comes(&mut state, Page::Before(Some(seq(21))), 11..=20, true);
    let effects = type_line(&mut state, "hello");
    assert!(effects.contains(&history(with(2), Page::Before(None))), "{effects:?}");
    comes(&mut state, Page::Before(None), 31..=40, true);
    assert_eq!(shown(&state), (31, 40));
}

#[test]
fn only_so_many_messages_are_kept_whichever_way_one_goes() {
    let mut state = signed_in(Mode::Screen);
    let last = super::super::thread::KEPT as u64 + 50;
    for number in 2..=last {
        arrives(&mut state, entry(2, 2, number, "new"));
    }
    assert_eq!(shown(&state), (51, last));
    type_line(&mut state, "/open bob");
    update(&mut state, Input::Key(Key::PageUp));
    comes(&mut state, Page::Before(Some(seq(51))), 1..=50, false);
    assert_eq!(shown(&state), (1, last - 50));
    assert!(state.threads[&with(2)].is_behind());
}

#[test]
fn plain_mode_writes_pages_both_ways_and_says_where_there_are_none() {
    let mut state = signed_in(Mode::Plain);
    arrives(&mut state, entry(2, 2, 2, "hi"));
    type_line(&mut state, "/open bob");
    type_line(&mut state, "/history 2");
    let page = Page::Before(Some(seq(2)));
    assert_eq!(said(&comes(&mut state, page, 1..=1, false)), ["bob: line 1."]);
    assert_eq!(said(&type_line(&mut state, "/history")), ["* there is nothing older"]);
    assert_eq!(type_line(&mut state, "/newer"), [history(with(2), Page::After(seq(1)))]);
    assert_eq!(said(&comes(&mut state, Page::After(seq(1)), 2..=2, false)), ["bob: line 2."]);
}

#[test]
fn a_page_that_was_on_its_way_shows_what_changed_meanwhile() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open bob");
    let edited = message::EditedEvent {
        conversation: with(2),
        seq: seq(1),
        revision: 1,
        text: "corrected".into(),
        edited_at: Timestamp(1),
    };
    happens(&mut state, Event::Edited(edited));
    let recalled = message::Entry { recalled_by: Some(id(2)), revision: 2, ..entry(2, 2, 2, "") };
    update(&mut state, Input::Update(Update::Changed(recalled)));
    // The server read the page before all that.
    comes(&mut state, Page::Before(None), 1..=2, false);
    let thread = &state.threads[&with(2)];
    assert_eq!(thread.messages[&1].text.as_str(), "corrected");
    assert_eq!(state.body(&thread.messages[&2]).as_str(), "message recalled");
}
