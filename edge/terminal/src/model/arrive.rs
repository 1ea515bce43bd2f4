//! What comes from the server, and what follows from it.

use std::collections::BTreeMap;

use broker_schemas::{Fetched, Outcome, UserId, friend, message, user};
use natter_client::{CallError, Closed, Event, Update};

use super::thread::{Stage, Stored};
use super::{Answer, Effect, Link, Me, Mode, Person, Phase, Relation, State, Verb};
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
        Update::Event(event) => on_event(state, event),
        Update::Over(closed) => over(state, &closed),
    }
}

fn online(state: &mut State, session: user::Session) -> Vec<Effect> {
    let name = Safe::line(&session.name);
    let mut effects = Vec::new();
    state.me = Some(Me { user: session.user, name: name.clone() });
    state.phase = Phase::Chat;
    state.link = Link::Online;
    effects.push(state.notice(format!("online as {name}")));
    match session.friends {
        Fetched::Available(friends) => set_friends(state, friends),
        Fetched::Unavailable { message, .. } => {
            effects.push(state.notice(format!("your friends can't be listed now: {message}")));
            effects.push(Effect::Friends);
        }
    }
    for thread in state.threads.values_mut() {
        thread.telling = false;
        thread.fetching = false;
    }
    for entry in session.unread.available().unwrap_or_default() {
        let thread = state.threads.entry(entry.conversation).or_default();
        thread.read = thread.read.max(entry.read_seq);
        thread.told = thread.told.max(entry.read_seq);
    }
    let unknown = state.threads.keys().filter_map(|there| there.peer_of(session.user));
    let unknown = unknown.filter(|user| !state.people.contains_key(user)).take(LOOKUPS);
    effects.extend(unknown.map(Effect::Profile));
    effects.push(Effect::Requests);
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
fn sign_out(state: &mut State, name: &str, why: Option<&str>) {
    *state = State::signed_out(state.mode, name);
    if let (Phase::SignIn(form), Some(why)) = (&mut state.phase, why) {
        form.failed(why);
    }
}

fn new_message(state: &mut State, entry: &message::Entry) -> Vec<Effect> {
    let mut effects = Vec::new();
    let thread = state.threads.entry(entry.conversation).or_default();
    let new = thread.store(entry.seq.get(), entry.client_id, Stored::from(entry));
    if new && state.mode == Mode::Plain {
        effects.push(say_message(state, entry));
    }
    if !state.people.contains_key(&entry.from) && state.me.as_ref().is_some_and(|me| me.user != entry.from) {
        effects.push(Effect::Profile(entry.from));
    }
    effects
}

/// A message as one line.
fn say_message(state: &State, entry: &message::Entry) -> Effect {
    let mine = state.me.as_ref().is_some_and(|me| me.user == entry.from);
    let line = if mine {
        format!("-> {}: {}", state.title_of(entry.conversation), entry.text)
    } else {
        format!("{}: {}", state.name_of(entry.from), entry.text)
    };
    Effect::Say(Safe::line(&line))
}

fn on_event(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Read(read) => {
            let thread = state.threads.entry(read.conversation).or_default();
            if state.me.as_ref().is_some_and(|me| me.user == read.user) {
                thread.read = thread.read.max(read.seq.get());
                thread.told = thread.told.max(read.seq.get());
            } else {
                thread.peer_read = thread.peer_read.max(read.seq.get());
            }
            Vec::new()
        }
        Event::Requested(friend::RequestedEvent { user, name, display_name }) => {
            meet(state, user, &name, &display_name, Relation::Asks);
            vec![state.notice(format!("{name} asks to be your friend: /accept {name} or /decline {name}"))]
        }
        Event::Accepted(friend::AcceptedEvent { user, name, display_name, online }) => {
            let known = state.people.get(&user).is_some_and(|person| person.relation == Relation::Friend);
            meet(state, user, &name, &display_name, Relation::Friend).online = online;
            if known {
                Vec::new()
            } else {
                vec![state.notice(format!("{name} is your friend now: /open {name}"))]
            }
        }
        Event::Removed(friend::RemovedEvent { user }) => {
            let Some(person) = state.people.get_mut(&user) else { return Vec::new() };
            let before = std::mem::replace(&mut person.relation, Relation::Stranger);
            person.online = false;
            let name = person.name.clone();
            match before {
                Relation::Friend => vec![state.notice(format!("{name} is no longer your friend"))],
                Relation::Asks => vec![state.notice(format!("the request of {name} is gone"))],
                Relation::Asked => vec![state.notice(format!("your request to {name} is gone"))],
                Relation::Blocked | Relation::Stranger => Vec::new(),
            }
        }
        Event::Presence(friend::PresenceEvent { user, online }) => {
            let Some(person) = state.people.get_mut(&user) else { return Vec::new() };
            let changed = std::mem::replace(&mut person.online, online) != online;
            let line = format!("* {} is {}", person.name, if online { "online" } else { "offline" });
            if changed { vec![Effect::Say(Safe::line(&line))] } else { Vec::new() }
        }
        Event::Deleted(user::Deleted { user }) => {
            let Some(person) = state.people.get_mut(&user) else { return Vec::new() };
            (person.relation, person.online) = (Relation::Stranger, false);
            let name = person.name.clone();
            vec![state.notice(format!("{name} has deleted the account"))]
        }
        Event::Resync => vec![Effect::Friends, Effect::Requests],
        Event::Other(raw) => vec![Effect::Say(Safe::line(&format!("* event {}", raw.name)))],
        // The client library turns these into updates of their own.
        Event::Message(_) | Event::SessionClosed { .. } => Vec::new(),
    }
}

/// Notes who somebody is.
fn meet<'a>(
    state: &'a mut State,
    user: UserId,
    name: &str,
    display_name: &str,
    relation: Relation,
) -> &'a mut Person {
    let (name, display_name) = (Safe::line(name), Safe::line(display_name));
    let person = state.people.entry(user).or_insert_with(|| Person {
        name: Safe::default(),
        display_name: Safe::default(),
        online: false,
        relation,
    });
    (person.name, person.display_name, person.relation) = (name, display_name, relation);
    person
}

fn set_friends(state: &mut State, friends: Vec<friend::FriendEntry>) {
    for person in state.people.values_mut().filter(|person| person.relation == Relation::Friend) {
        (person.relation, person.online) = (Relation::Stranger, false);
    }
    for entry in friends {
        meet(state, entry.user, &entry.name, &entry.display_name, Relation::Friend).online = entry.online;
    }
}

fn set_requests(state: &mut State, requests: friend::Requests) -> Vec<Effect> {
    let waits = |relation| matches!(relation, Relation::Asks | Relation::Asked | Relation::Blocked);
    let before: BTreeMap<_, _> = state.people.iter().map(|(user, person)| (*user, person.relation)).collect();
    for person in state.people.values_mut().filter(|person| waits(person.relation)) {
        person.relation = Relation::Stranger;
    }
    let mut effects = Vec::new();
    let lists = [
        (requests.incoming, Relation::Asks),
        (requests.outgoing, Relation::Asked),
        (requests.blocked, Relation::Blocked),
    ];
    for (list, relation) in lists {
        for entry in list {
            meet(state, entry.user, &entry.name, &entry.display_name, relation);
            if relation == Relation::Asks && before.get(&entry.user) != Some(&Relation::Asks) {
                let name = entry.name;
                effects.push(
                    state.notice(format!("{name} asks to be your friend: /accept {name} or /decline {name}")),
                );
            }
        }
    }
    effects
}

pub(super) fn answer(state: &mut State, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::SignedIn(Ok(())) => Vec::new(),
        Answer::SignedIn(Err(error)) => {
            if let Phase::SignIn(form) = &mut state.phase {
                form.failed(&error);
            }
            vec![state.notice(error)]
        }
        Answer::Sent { conversation, client_id, result } => {
            let title = state.title_of(conversation);
            let thread = state.threads.entry(conversation).or_default();
            // Unless it came back already, and has its place.
            let Some(pending) = thread.pending.iter_mut().find(|pending| pending.client_id == client_id)
            else {
                return Vec::new();
            };
            match result {
                Ok(_) => {
                    pending.stage = Stage::Sent;
                    Vec::new()
                }
                Err(error) => {
                    let why = explain(&error);
                    pending.stage = Stage::Failed(Safe::line(&why));
                    vec![state.notice(format!("not sent to {title}: {why}; /retry tries again"))]
                }
            }
        }
        Answer::History { conversation, result: Ok(page) } => {
            let lines = match state.mode {
                Mode::Plain => page.iter().map(|entry| say_message(state, entry)).collect(),
                Mode::Screen => Vec::new(),
            };
            state.threads.entry(conversation).or_default().prepend(page);
            lines
        }
        Answer::History { conversation, result: Err(error) } => {
            state.threads.entry(conversation).or_default().fetching = false;
            vec![state.notice(format!("no older messages now: {}", explain(&error)))]
        }
        Answer::Read { conversation, seq, result } => {
            let thread = state.threads.entry(conversation).or_default();
            if result.is_ok() {
                thread.told = thread.told.max(seq.get());
                thread.telling = false;
            }
            Vec::new()
        }
        Answer::Related { verb, name, result: Ok((profile, friends)) } => {
            related(state, verb, &name, &profile, friends)
        }
        Answer::Related { name, result: Err(error), .. } => {
            vec![state.notice(format!("{name}: {}", explain(&error)))]
        }
        Answer::Friends(Ok(list)) => {
            set_friends(state, list.friends);
            Vec::new()
        }
        Answer::Requests(Ok(requests)) => set_requests(state, requests),
        Answer::Profile(Ok(profile)) => {
            // Whoever is more than a stranger by now is known better.
            if !state.people.contains_key(&profile.user) {
                meet(state, profile.user, &profile.name, &profile.display_name, Relation::Stranger);
            }
            Vec::new()
        }
        Answer::Friends(Err(_)) | Answer::Requests(Err(_)) | Answer::Profile(Err(_)) => Vec::new(),
        Answer::PasswordChanged(Ok(())) => {
            vec![state.notice("the password is changed; every other session of yours has ended")]
        }
        Answer::PasswordChanged(Err(error)) => {
            vec![state.notice(format!("the password is not changed: {}", explain(&error)))]
        }
        Answer::LoggedOut(Ok(())) => {
            let effect = state.notice("logged out");
            sign_out(state, "", None);
            match state.mode {
                Mode::Screen => vec![effect],
                Mode::Plain => vec![effect, Effect::Quit],
            }
        }
        Answer::LoggedOut(Err(error)) => vec![state.notice(format!("still logged in: {}", explain(&error)))],
    }
}

fn related(state: &mut State, verb: Verb, name: &str, profile: &user::Profile, friends: bool) -> Vec<Effect> {
    let (relation, text) = match verb {
        Verb::Add if !friends => (Relation::Asked, format!("asked {name}")),
        Verb::Add | Verb::Accept => (Relation::Friend, format!("{name} is your friend now: /open {name}")),
        Verb::Decline => (Relation::Stranger, format!("there is no request between you and {name} any more")),
        Verb::Remove => (Relation::Stranger, format!("{name} is no longer your friend")),
        Verb::Block => (Relation::Blocked, format!("{name} is blocked: /unblock {name} takes it back")),
        Verb::Unblock => (Relation::Stranger, format!("{name} is no longer blocked")),
    };
    meet(state, profile.user, &profile.name, &profile.display_name, relation).online =
        profile.online && relation == Relation::Friend;
    vec![state.notice(text)]
}

/// Why a call failed, for a person.
pub(crate) fn explain(error: &CallError) -> String {
    match (error, error.outcome()) {
        (CallError::Refused { error, outcome: Outcome::Rejected }, _) => error.message.clone(),
        (error, Outcome::Unknown) => format!("{error} (it may have happened all the same)"),
        (error, _) => error.to_string(),
    }
}
