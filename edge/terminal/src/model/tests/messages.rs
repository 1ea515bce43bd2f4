//! Replies, mentions, edits, recalls, reactions, search, who has read, who is writing.

use natter_client::Draft;

use super::*;

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn reacted(conversation: Conversation, user: u64, at: u64, revision: u64) -> Event {
    Event::Reacted(message::ReactedEvent {
        conversation,
        seq: seq(at),
        revision,
        user: id(user),
        reaction: "👍".into(),
        removed: false,
    })
}

fn edited(conversation: Conversation, at: u64, revision: u64, text: &str) -> Event {
    let (seq, text, edited_at) = (seq(at), text.into(), Timestamp(1));
    Event::Edited(message::EditedEvent { conversation, seq, revision, text, edited_at })
}

fn drafts(effects: &[Effect]) -> Vec<Draft> {
    let draft =
        |effect: &Effect| if let Effect::Send { draft, .. } = effect { Some(draft.clone()) } else { None };
    effects.iter().filter_map(draft).collect()
}

#[test]
fn a_reply_names_its_message_and_a_text_those_whom_it_points_out() {
    let mut state = signed_in(Mode::Screen);
    type_line(&mut state, "/open team");
    let effects = type_line(&mut state, "/reply #4 yes, @BOB. And @carol- or mail@bob.example, @nobody");
    let [draft] = &*drafts(&effects) else { panic!("{effects:?}") };
    assert_eq!((draft.quote, &*draft.mentions), (Some(seq(4)), &[id(2), id(3)][..]));
    let Effect::Send { to, .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(*to, message::Recipient::Group(team()));
}

#[test]
fn commands_about_messages_name_the_open_conversation_and_the_number() {
    let mut state = signed_in(Mode::Screen);
    assert!(said(&type_line(&mut state, "/recall 3"))[0].contains("/open NAME"));
    type_line(&mut state, "/open bob");
    let amend = |amend| [Effect::Amend { conversation: with(2), seq: seq(3), amend }];
    assert_eq!(type_line(&mut state, "/edit 3 hello there"), amend(Amend::Edit("hello there".into())));
    assert_eq!(type_line(&mut state, "/recall #3"), amend(Amend::Recall));
    assert_eq!(type_line(&mut state, "/react 3 👍"), amend(Amend::React("👍".into())));
    assert_eq!(type_line(&mut state, "/unreact 3 👍"), amend(Amend::Unreact("👍".into())));
    let failed = Answer::Amended { seq: seq(3), amend: Amend::Recall, result: Err(refused("seq: too late")) };
    assert_eq!(said(&update(&mut state, Input::Answer(failed))), ["* #3 is not recalled: too late"]);
}

#[test]
fn a_message_is_shown_as_it_is_after_each_change_and_each_change_counts_once() {
    let mut state = signed_in(Mode::Screen);
    arrives(&mut state, entry(2, 2, 2, "helo"));
    let shown = |state: &State| {
        let stored = &state.threads[&with(2)].messages[&2];
        format!("{}{}", state.body(stored), State::tail(&stored.entry))
    };
    for _ in 0..2 {
        happens(&mut state, edited(with(2), 2, 1, "hello"));
        happens(&mut state, reacted(with(2), 3, 2, 2));
    }
    assert_eq!(shown(&state), "hello (edited) [👍 1]");
    let by = id(2);
    happens(
        &mut state,
        Event::Recalled(message::RecalledEvent { conversation: with(2), seq: seq(2), revision: 3, by }),
    );
    assert_eq!(shown(&state), "message recalled");
    // An older state that comes late changes nothing.
    update(
        &mut state,
        Input::Update(Update::Changed(message::Entry { revision: 2, ..entry(2, 2, 2, "hello") })),
    );
    assert_eq!(shown(&state), "message recalled");
}

#[test]
fn a_quote_shows_what_the_message_says_now_and_is_fetched_once() {
    let mut state = signed_in(Mode::Screen);
    let quoting = |at, quote| message::Entry { quote: Some(seq(quote)), ..entry(2, 2, at, "yes") };
    let effects = arrives(&mut state, quoting(40, 7));
    let fetch = Effect::Quoted { conversation: with(2), seq: seq(7) };
    assert!(effects.contains(&fetch), "{effects:?}");
    assert!(!arrives(&mut state, quoting(41, 7)).contains(&fetch));
    assert_eq!(state.quotation(with(2), seq(7)).as_str(), "> #7");
    let result = Ok(Some(Box::new(entry(1, 2, 7, "shall we?\nsoon"))));
    update(&mut state, Input::Answer(Answer::Quoted { conversation: with(2), seq: seq(7), result }));
    assert_eq!(state.quotation(with(2), seq(7)).as_str(), "> #7 alice: shall we?…");
    let by = id(1);
    happens(
        &mut state,
        Event::Recalled(message::RecalledEvent { conversation: with(2), seq: seq(7), revision: 1, by }),
    );
    assert_eq!(state.quotation(with(2), seq(7)).as_str(), "> #7 alice: message recalled");
}

#[test]
fn what_an_application_sent_is_shown_as_its_kind() {
    let mut state = signed_in(Mode::Plain);
    let payload = message::Payload { kind: "poll".try_into().unwrap(), data: "{\x1b}".try_into().unwrap() };
    let entry = message::Entry { payload: Some(payload), ..entry(2, 2, 2, "") };
    assert_eq!(said(&arrives(&mut state, entry)), ["bob: [poll]"]);
}

#[test]
fn plain_mode_says_of_each_change_which_message_it_is_about() {
    let mut state = signed_in(Mode::Plain);
    arrives(&mut state, entry(2, 2, 2, "helo"));
    assert_eq!(
        said(&happens(&mut state, edited(with(2), 2, 1, "hello\n* x"))),
        ["* [bob #2] edited: hello␊* x"]
    );
    assert_eq!(said(&happens(&mut state, reacted(in_team(), 3, 4, 1))), ["* [team #4] Carol reacted 👍"]);
    let by = id(2);
    let recalled = message::RecalledEvent { conversation: with(2), seq: seq(2), revision: 2, by };
    assert_eq!(said(&happens(&mut state, Event::Recalled(recalled))), ["* [bob #2] recalled by bob"]);
    let reaction = message::Reaction { reaction: "👍".into(), count: 2, mine: false };
    let away = message::Entry {
        reactions: vec![reaction],
        edited_at: Some(Timestamp(1)),
        quote: Some(seq(2)),
        revision: 3,
        ..entry(2, 2, 1, "hi")
    };
    let lines = said(&update(&mut state, Input::Update(Update::Changed(away))));
    assert_eq!(lines, ["* [bob #1] bob: > #2 bob: message recalled | hi (edited) [👍 2]"]);
}

#[test]
fn numbers_are_written_for_two_people_only_when_asked_for() {
    let mut state = signed_in(Mode::Plain);
    state.numbers = true;
    assert_eq!(said(&arrives(&mut state, entry(2, 2, 2, "hi"))), ["[bob #2] bob: hi"]);
    assert_eq!(said(&arrives(&mut state, entry(1, 2, 3, "hello"))), ["[bob #3] alice: hello"]);
}

#[test]
fn a_search_goes_on_where_it_ended_and_says_where_each_message_stands() {
    let mut state = signed_in(Mode::Plain);
    assert!(said(&type_line(&mut state, "/more"))[0].contains("/search"));
    let search = |skip| [Effect::Search { words: "hello there".into(), skip }];
    assert_eq!(type_line(&mut state, "/search hello there"), search(0));
    let messages = vec![said_in_team(3, 4, "hello there"), entry(1, 2, 1, "hello, is there…")];
    let result = Ok(message::Found { messages, more: true });
    let lines = said(&update(&mut state, Input::Answer(Answer::Found { skip: 0, result })));
    let expected =
        ["* [team #4] Carol: hello there", "* [bob #1] alice: hello, is there…", "* there is more: /more"];
    assert_eq!(lines, expected);
    assert_eq!(type_line(&mut state, "/more"), search(2));
}

#[test]
fn the_others_are_told_now_and_then_that_one_writes_a_message() {
    let mut state = signed_in(Mode::Screen);
    assert_eq!(update(&mut state, Input::Key(Key::Char('h'))), [], "to nobody");
    update(&mut state, Input::Key(Key::Backspace));
    type_line(&mut state, "/open bob");
    for c in "/friends".chars() {
        assert_eq!(update(&mut state, Input::Key(Key::Char(c))), [], "a command");
    }
    update(&mut state, Input::Key(Key::DeleteAll));
    let mut at = |second, c| {
        update(&mut state, Input::Clock(std::time::Duration::from_secs(second)));
        update(&mut state, Input::Key(Key::Char(c)))
    };
    assert_eq!(at(10, 'h'), [Effect::Typing(with(2))]);
    assert_eq!(at(12, 'e'), []);
    assert_eq!(at(13, 'y'), [Effect::Typing(with(2))]);
}

#[test]
fn somebody_who_writes_is_shown_until_the_message_comes_or_for_a_while() {
    let mut state = signed_in(Mode::Screen);
    let typing = |user| Event::Typing(message::TypingEvent { conversation: with(2), user: id(user) });
    let shown = |state: &State| state.typing_in(with(2)).len();
    happens(&mut state, typing(1));
    assert_eq!(shown(&state), 0, "oneself, on another device");
    happens(&mut state, typing(2));
    assert_eq!(shown(&state), 1);
    arrives(&mut state, entry(2, 2, 2, "there"));
    assert_eq!(shown(&state), 0);
    happens(&mut state, typing(2));
    update(&mut state, Input::Clock(std::time::Duration::from_secs(10)));
    assert_eq!(shown(&state), 0);
}

#[test]
fn what_one_wrote_counts_as_read_unless_something_new_is_before_it() {
    let mut state = signed_in(Mode::Screen);
    let effects = arrives(&mut state, said_in_team(1, 5, "from another device"));
    assert!(effects.contains(&Effect::Read { conversation: in_team(), seq: seq(5) }), "{effects:?}");
    assert_eq!(state.unread_in(in_team()), 0);
    arrives(&mut state, said_in_team(2, 6, "news"));
    arrives(&mut state, said_in_team(1, 7, "from another device"));
    assert_eq!(state.unread_in(in_team()), 2);
    // Read there.
    let read = message::ReadEvent { conversation: in_team(), user: id(1), seq: seq(7) };
    happens(&mut state, Event::Read(read));
    assert_eq!(state.unread_in(in_team()), 0);
}

#[test]
fn who_has_read_is_asked_about_ones_last_message_and_says_names() {
    let mut state = signed_in(Mode::Plain);
    arrives(&mut state, said_in_team(1, 5, "mine"));
    arrives(&mut state, said_in_team(2, 6, "yours"));
    type_line(&mut state, "/open team");
    let ask = Effect::Readers { conversation: in_team(), seq: Some(seq(5)), say: true };
    assert_eq!(type_line(&mut state, "/readers"), [ask]);
    let readers = [1, 2, 3].map(|user| message::Reader { user: id(user), seq: 6 }).to_vec();
    let result = Ok(message::Readers { readers });
    let answer = Answer::Readers { conversation: in_team(), seq: Some(seq(5)), say: true, result };
    assert_eq!(said(&update(&mut state, Input::Answer(answer))), ["* [team] #5 was read by bob and Carol"]);
    assert_eq!(state.threads[&in_team()].read_by(5), 2);
}

#[test]
fn the_list_of_conversations_says_what_came_last() {
    let mut state = signed_in(Mode::Plain);
    assert_eq!(type_line(&mut state, "/conversations"), [Effect::Conversations]);
    let last = message::Preview {
        seq: seq(4),
        from: id(3),
        text: "see you".into(),
        sent_at: Timestamp(0),
        kind: None,
        notice: None,
        recalled: false,
    };
    let overview = message::Overview { standing: standing(in_team(), 4, 1), open: true, last: Some(last) };
    let lines = said(&update(&mut state, Input::Answer(Answer::Conversations(Ok(vec![overview])))));
    assert_eq!(lines, ["* [team] (3 unread) #4 Carol: see you"]);
}
