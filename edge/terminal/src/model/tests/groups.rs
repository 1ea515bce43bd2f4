//! Groups: what is said about them, and what commands do.

use broker_schemas::group::Change;

use super::*;

fn dave() -> user::Profile {
    user::Profile { user: id(4), name: "dave".into(), display_name: "Dave".into(), online: true }
}

fn profile_answer(result: Result<user::Profile, CallError>) -> Input {
    Input::Answer(Answer::Profile { user: id(4), result })
}

#[test]
fn plain_mode_says_where_a_message_stands_and_waits_for_the_names_in_it() {
    let mut state = signed_in(Mode::Plain);
    assert_eq!(said(&arrives(&mut state, said_in_team(2, 5, "hello"))), ["[team #5] bob: hello"]);
    let effects = arrives(&mut state, said_in_team(4, 6, "who am I?"));
    assert_eq!(said(&effects), Vec::<String>::new());
    assert!(effects.contains(&Effect::Profile(id(4))));
    // In its order, and nobody is asked for twice.
    let effects = arrives(&mut state, happened_in_team(1, 7, Change::Kicked { user: id(4) }));
    assert_eq!(
        effects.iter().filter(|effect| matches!(effect, Effect::Profile(_) | Effect::Say(_))).count(),
        0
    );
    let lines = said(&update(&mut state, profile_answer(Ok(dave()))));
    assert_eq!(lines, ["[team #6] dave: who am I?", "[team #7] * dave was put out by alice"]);
}

#[test]
fn a_name_that_cannot_be_had_is_not_waited_for_longer() {
    let mut state = signed_in(Mode::Plain);
    arrives(&mut state, said_in_team(4, 5, "boo"));
    let lines = said(&update(&mut state, profile_answer(Err(refused("gone")))));
    assert_eq!(lines, ["[team #5] user 4: boo"]);
    assert_eq!(said(&arrives(&mut state, said_in_team(4, 6, "boo"))), ["[team #6] user 4: boo"]);
}

#[test]
fn no_name_of_a_group_makes_a_line_look_like_another_one() {
    let mut state = signed_in(Mode::Plain);
    let renamed = Change::Renamed { name: "x #1] bob: yes\n[y".try_into().unwrap() };
    let lines = said(&arrives(&mut state, happened_in_team(1, 5, renamed)));
    assert!(lines[0].starts_with("[x _1_ bob: yes␊_y #5] * "), "{lines:?}");
}

#[test]
fn what_happens_in_a_group_is_said_in_words_and_is_so_from_then_on() {
    let mut state = signed_in(Mode::Plain);
    let until = Some(Timestamp(1_700_000_000_000));
    let text = |text: &str| text.try_into().unwrap();
    let members = broker_schemas::List::new(vec![id(2), id(3)]).unwrap();
    let bob = id(2);
    let changes = [
        (Change::Created { name: text_of("team"), members }, "alice made the group team with bob and Carol"),
        (Change::Joined { user: id(1) }, "alice joined"),
        (Change::Joined { user: bob }, "alice added bob"),
        (Change::Left { user: bob }, "bob left"),
        (Change::RoleSet { user: bob, role: Role::Administrator }, "alice made bob an administrator"),
        (Change::Muted { user: Some(bob), until }, "alice muted bob until "),
        (Change::Muted { user: None, until: None }, "alice let all members write again"),
        (Change::Announced { text: text("tea at five") }, "alice announced: tea at five"),
        (Change::Renamed { name: text_of("crew") }, "the group is now called crew, says alice"),
        (Change::Transferred { user: bob }, "alice made bob the owner"),
        (Change::Dissolved {}, "alice dissolved the group"),
    ];
    for (at, (change, words)) in changes.into_iter().enumerate() {
        let lines = said(&arrives(&mut state, happened_in_team(1, 5 + at as u64, change)));
        let line = lines[0].split_once("] * ").unwrap().1;
        assert!(line.starts_with(words), "{line}");
    }
    let group = &state.groups[&team()];
    assert_eq!((group.name.as_str(), group.role, group.dissolved), ("crew", Role::Administrator, true));
    assert_eq!(group.announcement, Some(Safe::line("tea at five")));
}

fn text_of(name: &str) -> broker_schemas::Text<{ group::NAME_BYTES }> {
    name.try_into().unwrap()
}

#[test]
fn one_learns_of_being_put_into_a_group_and_out_of_it() {
    let mut state = signed_in(Mode::Plain);
    let group = GroupId::new(12).unwrap();
    let joined =
        || Event::GroupJoined(group::JoinedEvent { group, name: "choir".into(), by: id(2), seq: None });
    assert_eq!(
        said(&happens(&mut state, joined())),
        ["* bob put you into the group choir (g12): /open choir"]
    );
    // Told twice: said once.
    assert_eq!(said(&happens(&mut state, joined())), Vec::<String>::new());
    type_line(&mut state, "/open choir");
    let there = Conversation::group(group);
    assert_eq!(state.open, Some(there));
    arrives(&mut state, message::Entry { conversation: there, ..entry(2, 2, 50, "la") });
    let kicked = group::KickedEvent { group, by: id(2) };
    assert_eq!(
        said(&happens(&mut state, Event::GroupKicked(kicked))),
        ["* bob put you out of the group choir"]
    );
    assert_eq!((state.open, state.threads.contains_key(&there)), (None, false));
    assert!(said(&type_line(&mut state, "/open choir"))[0].contains("nor a group"));
}

#[test]
fn groups_that_one_left_while_away_are_gone_and_ended_ones_stay_readable() {
    let mut state = signed_in(Mode::Screen);
    let nothing = user::Session { groups: Fetched::Available(Vec::new()), ..session() };
    let effects = update(&mut state, Input::Update(Update::Online(Box::new(nothing.clone()))));
    // It has a conversation, so perhaps it was dissolved.
    let ask = Effect::GroupProfile { group: team(), why: Why::Shown };
    assert!(effects.contains(&ask), "{effects:?}");
    let result = Ok(group::Profile { dissolved: true, ..profile() });
    update(&mut state, Input::Answer(Answer::GroupProfile { group: team(), why: Why::Shown, result }));
    let ended = &state.groups[&team()];
    assert_eq!((ended.name.as_str(), ended.dissolved), ("team", true));
    let result = Ok(group::Profile { dissolved: true, ..profile() });
    let shown =
        update(&mut state, Input::Answer(Answer::GroupProfile { group: team(), why: Why::Asked, result }));
    assert!(format!("{shown:?} {:?}", state.panel).contains("it was dissolved"), "{shown:?}");
    let without = user::Session { unread: Fetched::Available(Vec::new()), ..nothing };
    update(&mut state, Input::Update(Update::Online(Box::new(without))));
    assert!(state.groups.is_empty() && !state.threads.contains_key(&in_team()));
}

#[test]
fn commands_act_on_the_open_group() {
    let mut state = signed_in(Mode::Plain);
    assert!(said(&type_line(&mut state, "/invite bob"))[0].contains("/open NAME"));
    type_line(&mut state, "/open bob");
    assert!(said(&type_line(&mut state, "/invite bob"))[0].contains("/open NAME"));
    type_line(&mut state, "/open TEAM");
    let act = |act| [Effect::Act { group: team(), act }];
    assert_eq!(type_line(&mut state, "/invite bob"), act(Act::Invite("bob".into())));
    assert_eq!(type_line(&mut state, "/kick bob block"), act(Act::Kick { name: "bob".into(), block: true }));
    for (time, minutes) in [("5", 5), ("30m", 30), ("2h", 120), ("1d", 1_440)] {
        let mute = act(Act::Mute { name: None, minutes });
        assert_eq!(type_line(&mut state, &format!("/mute all {time}")), mute);
    }
    for time in ["0", "soon", "-1h", "367d", "99999999d", "h"] {
        assert!(
            said(&type_line(&mut state, &format!("/mute all {time}")))[0].contains("30m, 2h or 1d"),
            "{time}"
        );
    }
    assert_eq!(type_line(&mut state, "/transfer bob"), act(Act::Transfer("bob".into())));
    assert_eq!(
        type_line(&mut state, "/create \"a b\" bob"),
        [Effect::Create { name: "a b".into(), members: vec!["bob".into()] }]
    );
    let done =
        |result| Input::Answer(Answer::Acted { group: team(), act: Act::Invite("bob".into()), result });
    assert_eq!(said(&update(&mut state, done(Ok(())))), ["* [team] bob is in"]);
    assert_eq!(said(&update(&mut state, done(Err(refused("not a friend"))))), ["* [team] not a friend"]);
}

#[test]
fn what_cannot_be_undone_needs_the_groups_name() {
    let dissolve = [Effect::Act { group: team(), act: Act::Dissolve }];
    let mut plain = signed_in(Mode::Plain);
    type_line(&mut plain, "/open g9");
    assert_eq!(sent(&type_line(&mut plain, "/dissolve")).len(), 0);
    assert!(said(&type_line(&mut plain, "/dissolve choir"))[0].contains("nothing was done"));
    assert_eq!(type_line(&mut plain, "/dissolve team"), dissolve);

    let mut screen = signed_in(Mode::Screen);
    type_line(&mut screen, "/open team");
    for command in ["/dissolve", "/transfer bob"] {
        assert!(matches!(&type_line(&mut screen, command)[..], [Effect::Say(_)]));
        assert!(screen.asking.is_some());
        assert!(said(&type_line(&mut screen, "yes"))[0].contains("nothing was done"));
        assert_eq!(screen.asking, None);
    }
    type_line(&mut screen, "/dissolve");
    assert_eq!(type_line(&mut screen, "team"), dissolve);
}

#[test]
fn a_group_is_found_by_name_or_id_and_never_by_chance() {
    let mut state = signed_in(Mode::Screen);
    let other = GroupId::new(10).unwrap();
    let joined = group::JoinedEvent { group: other, name: "Team".into(), by: id(1), seq: None };
    happens(&mut state, Event::GroupJoined(joined));
    assert!(said(&type_line(&mut state, "/open team"))[0].contains("g9, g10"));
    type_line(&mut state, "/open g10");
    assert_eq!(state.open, Some(Conversation::group(other)));
    // A friend's name goes before.
    let renamed = message::Entry {
        conversation: Conversation::group(other),
        ..happened_in_team(1, 1, Change::Renamed { name: text_of("bob") })
    };
    arrives(&mut state, renamed);
    type_line(&mut state, "/open bob");
    assert_eq!(state.open, Some(with(2)));
}

#[test]
fn whoever_asks_to_join_is_announced_with_what_to_do() {
    let mut state = signed_in(Mode::Plain);
    let asked =
        group::AskedEvent { group: team(), user: id(4), name: "dave".into(), display_name: "D".into() };
    let lines = said(&happens(&mut state, Event::GroupAsked(asked)));
    assert_eq!(lines, ["* [team] dave asks to join: /open team, then /approve dave or /refuse dave"]);
}

fn profile() -> group::Profile {
    group::Profile {
        group: team(),
        name: "team".into(),
        members: 3,
        admission: group::Admission::Open,
        visible: group::Visible::Everything,
        role: Some(Role::Owner),
        announcement: None,
        muted_until: None,
        dissolved: false,
    }
}

#[test]
fn opening_a_group_shows_its_announcement() {
    let mut state = signed_in(Mode::Plain);
    let effects = type_line(&mut state, "/open team");
    assert!(effects.contains(&Effect::GroupProfile { group: team(), why: Why::Opened }), "{effects:?}");
    let announcement = group::Announcement { text: "tea at five".into(), by: id(2), at: Timestamp(0) };
    let profile = group::Profile { announcement: Some(announcement), ..profile() };
    let answer = |why| Answer::GroupProfile { group: team(), why, result: Ok(profile.clone()) };
    let lines = said(&update(&mut state, Input::Answer(answer(Why::Opened))));
    assert_eq!(lines, ["* [team] announcement: tea at five"]);
    assert_eq!(said(&update(&mut state, Input::Answer(answer(Why::Shown)))), Vec::<String>::new());
    let lines = said(&update(&mut state, Input::Answer(answer(Why::Asked))));
    assert!(lines.contains(&"* whoever knows its id can join".to_owned()), "{lines:?}");
}

#[test]
fn who_put_one_into_a_group_is_called_by_name() {
    for mode in [Mode::Plain, Mode::Screen] {
        let mut state = signed_in(mode);
        let group = GroupId::new(12).unwrap();
        let joined = group::JoinedEvent { group, name: "choir".into(), by: id(4), seq: None };
        assert_eq!(said(&happens(&mut state, Event::GroupJoined(joined))), Vec::<String>::new());
        let lines = said(&update(&mut state, profile_answer(Ok(dave()))));
        assert_eq!(lines, ["* dave put you into the group choir (g12): /open choir"]);
    }
}

#[test]
fn leaving_is_said_once_and_a_request_can_be_taken_back() {
    let mut state = signed_in(Mode::Plain);
    let act = |group, member| [Effect::Act { group, act: Act::Leave { member } }];
    let other = GroupId::new(12).unwrap();
    assert_eq!(type_line(&mut state, "/leave g12"), act(other, false));
    let answer =
        |group, member| Input::Answer(Answer::Acted { group, act: Act::Leave { member }, result: Ok(()) });
    assert_eq!(said(&update(&mut state, answer(other, false))), ["* [g12] you don't ask to join any more"]);
    type_line(&mut state, "/open team");
    assert_eq!(type_line(&mut state, "/leave"), act(team(), true));
    let left = group::LeftEvent { group: team() };
    assert_eq!(said(&happens(&mut state, Event::GroupLeft(left))), ["* you left the group team"]);
    assert_eq!(said(&update(&mut state, answer(team(), true))), Vec::<String>::new());
}

#[test]
fn the_list_of_groups_counts_in_words_and_ends_no_label() {
    let entry = |name: &str, members| group::GroupEntry {
        group: team(),
        name: name.into(),
        role: Role::Owner,
        members,
        unread: None,
    };
    for (mode, shown) in [(Mode::Plain, "a_ _1"), (Mode::Screen, "a] #1")] {
        let mut state = signed_in(mode);
        let mut line = |members| {
            let result = Ok(group::Groups { groups: vec![entry("a] #1", members)] });
            let effects = update(&mut state, Input::Answer(Answer::Groups { say: true, result }));
            format!("{effects:?} {:?}", state.panel)
        };
        assert!(line(1).contains(&format!("{shown} (g9, 1 member, you are the owner)")), "{}", line(1));
        assert!(line(2).contains(&format!("{shown} (g9, 2 members, you are the owner)")), "{}", line(2));
    }
}
