//! What comes from the server by itself, and what follows from it.

use broker_schemas::message::{self, SYNC_MAX};
use broker_schemas::{Fetched, user};
use natter_client::{Closed, Event, Update};

use super::say::Saying;
use super::send::TYPING_SHOWN;
use super::{Effect, Link, Me, Mode, Phase, State, Why, group, people, platform};
use crate::text::Safe;

/// How many unknown people are looked up after a sign-in.
const LOOKUPS: usize = 32;

pub(super) fn update(state: &mut State, update: Update) -> Vec<Effect> {
    match update {
        Update::Online(session) => online(state, *session),
        Update::Offline { reason, .. } => {
            let known = matches!(state.link, Link::Offline(_));
            state.link = Link::Offline(Safe::line(&reason.to_string()));
            if known { Vec::new() } else { vec![state.notice(format!("offline ({reason}); trying again"))] }
        }
        Update::Message(entry) => new_message(state, &entry),
        Update::Changed(entry) => changed(state, entry),
        Update::Event(event) => on_event(state, event),
        Update::Announcement(event) => platform::announced(state, event),
        Update::Over(closed) => over(state, &closed),
    }
}

fn online(state: &mut State, session: user::Session) -> Vec<Effect> {
    let name = Safe::line(&session.name);
    let mut effects = Vec::new();
    state.me = Some(Me { user: session.user, name: name.clone() });
    state.phase = Phase::Chat;
    state.link = Link::Online;
    state.lookups = super::Lookups::default();
    effects.push(state.notice(format!("online as {name}")));
    match session.friends {
        Fetched::Available(friends) => people::set_friends(state, friends),
        Fetched::Unavailable { message, .. } => {
            effects.push(state.notice(format!("your friends can't be listed now: {message}")));
            effects.push(Effect::Friends);
        }
    }
    let standings = session.unread.available();
    let all = standings.as_deref().filter(|standings| standings.len() < SYNC_MAX);
    match session.groups {
        Fetched::Available(groups) => effects.extend(state.replace_groups(groups, all)),
        Fetched::Unavailable { message, .. } => {
            effects.push(state.notice(format!("your groups can't be listed now: {message}")));
            effects.push(Effect::Groups { say: false });
        }
    }
    for thread in state.threads.values_mut() {
        (thread.telling, thread.fetching) = (false, None);
    }
    for entry in standings.unwrap_or_default() {
        let thread = state.threads.entry(entry.conversation).or_default();
        thread.read = thread.read.max(entry.read_seq);
        thread.told = thread.told.max(entry.read_seq);
        thread.latest = thread.latest.max(entry.last_seq);
    }
    let unknown: Vec<_> = state.threads.keys().filter_map(|there| there.peer_of(session.user)).collect();
    let unknown = unknown.into_iter().filter(|user| !state.knows(*user)).take(LOOKUPS).collect::<Vec<_>>();
    effects.extend(state.look_up(unknown));
    effects.push(Effect::Requests);
    if let Some(open) = state.open {
        effects.extend(state.look_around(open, Why::Shown));
    }
    effects
}

fn over(state: &mut State, closed: &Closed) -> Vec<Effect> {
    if state.me.is_none()
        && let Some((name, password)) = state.spare.take()
    {
        return vec![Effect::SignIn { name, password, register: false }];
    }
    let effect = state.notice(format!("signed out: {}", closed.message));
    let name = state.me.as_ref().map(|me| me.name.as_str().to_owned());
    sign_out(state, name.as_deref().unwrap_or_default(), Some(&closed.message));
    match state.mode {
        Mode::Screen => vec![effect],
        Mode::Plain => vec![effect, Effect::Quit],
    }
}

/// Forgets everything about the user, and shows the form.
pub(super) fn sign_out(state: &mut State, name: &str, why: Option<&str>) {
    let (numbers, clock) = (state.numbers, state.clock);
    *state = State { numbers, clock, ..State::signed_out(state.mode, name) };
    if let (Phase::SignIn(form), Some(why)) = (&mut state.phase, why) {
        form.failed(why);
    }
}

fn new_message(state: &mut State, entry: &message::Entry) -> Vec<Effect> {
    let conversation = entry.conversation;
    let mut effects: Vec<_> = state.note_group(conversation).into_iter().collect();
    state.take_notice(entry);
    let mine = state.is_me(entry.from);
    let thread = state.threads.entry(conversation).or_default();
    thread.store(entry);
    let seq = entry.seq.get();
    // Who writes has read what they wrote; not what came before it, if it is new.
    if mine && thread.read + 1 == seq {
        thread.read = seq;
    }
    let new = thread.written < seq;
    thread.written = thread.written.max(seq);
    if new {
        effects.extend(state.say(Saying::Message(Box::new(entry.clone()))));
    }
    effects.extend(state.look_up(state.named_in(entry)));
    if state.mode == Mode::Screen {
        effects.extend(state.fetch_quoted(conversation, entry.quote));
    }
    effects
}

fn changed(state: &mut State, entry: message::Entry) -> Vec<Effect> {
    state.threads.entry(entry.conversation).or_default().replace(&entry);
    let mut effects = state.say(Saying::State(Box::new(entry.clone())));
    effects.extend(state.look_up(state.named_in(&entry)));
    state.recent.state(entry);
    effects
}

fn on_event(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Read(read) => {
            let mine = state.is_me(read.user);
            let thread = state.threads.entry(read.conversation).or_default();
            let seq = read.seq.get();
            if mine {
                thread.read = thread.read.max(seq);
                thread.told = thread.told.max(seq);
            } else {
                let before = thread.readers.entry(read.user).or_default();
                *before = seq.max(*before);
            }
            Vec::new()
        }
        Event::Typing(message::TypingEvent { conversation, user }) => {
            let until = state.clock + TYPING_SHOWN;
            if state.is_me(user) {
                return Vec::new();
            }
            state.threads.entry(conversation).or_default().typing.insert(user, until);
            state.look_up([user])
        }
        Event::Edited(_) | Event::Recalled(_) | Event::Reacted(_) => change(state, event),
        Event::GroupJoined(event) => group::joined(state, event),
        Event::GroupLeft(event) => group::left(state, event.group),
        Event::GroupKicked(event) => group::kicked(state, event.group, event.by),
        Event::GroupDissolved(event) => {
            group::dissolved(state, event.group);
            Vec::new()
        }
        Event::GroupAnnounced(event) => {
            group::announced(state, &event);
            Vec::new()
        }
        Event::GroupAsked(event) => group::asked(state, &event),
        Event::Requested(event) => people::requested(state, &event),
        Event::Accepted(event) => people::accepted(state, &event),
        Event::Removed(event) => people::removed(state, event.user),
        Event::Presence(event) => people::presence(state, &event),
        Event::Deleted(event) => people::deleted(state, event.user),
        Event::Broadcast(event) => platform::broadcast(state, &event),
        Event::Resync => {
            let mut effects = vec![Effect::Friends, Effect::Requests, Effect::Groups { say: false }];
            if let Some(open) = state.open {
                effects.extend(state.look_around(open, Why::Shown));
            }
            effects
        }
        Event::Other(raw) => vec![Effect::Say(Safe::line(&format!("* event {}", raw.name)))],
        // The client library turns these into updates of their own.
        Event::Message(_) | Event::Announced(_) | Event::SessionClosed { .. } => Vec::new(),
    }
}

fn change(state: &mut State, event: Event) -> Vec<Effect> {
    let (Some(change), Some(me)) = (event.change(), state.me.as_ref().map(|me| me.user)) else {
        return Vec::new();
    };
    state.threads.entry(change.conversation).or_default().change(&event, me);
    state.recent.event(event.clone());
    state.say(Saying::Change(event))
}
