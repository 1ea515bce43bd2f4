//! Other people: friends, requests, blocks, and those known only from messages.

use std::collections::BTreeMap;

use broker_schemas::{UserId, friend, user};

use super::{Effect, State, Verb};
use crate::text::Safe;

/// Somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: Safe,
    pub(crate) display_name: Safe,
    pub(crate) online: bool,
    pub(crate) relation: Relation,
}

/// What somebody is to the user, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relation {
    Friend,
    /// Asked the user.
    Asks,
    /// Was asked by the user.
    Asked,
    Blocked,
    /// Only known from messages and groups.
    Stranger,
}

impl Person {
    /// Whether this is the platform's own account: nobody else can have its name.
    pub(crate) fn is_platform(&self) -> bool {
        self.relation == Relation::Stranger && self.name.as_str() == user::PLATFORM_NAME
    }
}

impl State {
    /// The people to show, in order: friends by name, then requests, then the platform, then others whom the user talked to.
    pub(crate) fn roster(&self) -> Vec<(UserId, &Person)> {
        let talks =
            |user| self.conversation_with(user).is_some_and(|there| self.threads.contains_key(&there));
        let mut roster: Vec<_> = self
            .people
            .iter()
            .filter(|(user, person)| person.relation != Relation::Stranger || talks(**user))
            .map(|(user, person)| (*user, person))
            .collect();
        roster.sort_by_key(|(_, person)| {
            (person.relation, !person.is_platform(), person.name.as_str().to_lowercase())
        });
        roster
    }

    pub(super) fn say_friends(&mut self) -> Vec<Effect> {
        let lines: Vec<_> = self
            .roster()
            .into_iter()
            .map(|(user, person)| {
                let state = match person.relation {
                    Relation::Friend if person.online => "online",
                    Relation::Friend => "offline",
                    Relation::Asks => "asks you",
                    Relation::Asked => "asked by you",
                    Relation::Blocked => "blocked",
                    Relation::Stranger if person.is_platform() => "the platform",
                    Relation::Stranger => "not a friend",
                };
                let unread = self.conversation_with(user).map_or(0, |there| self.unread_in(there));
                let unread = if unread > 0 { format!(", {unread} unread") } else { String::new() };
                format!("{} ({state}{unread})", person.name)
            })
            .collect();
        if lines.is_empty() {
            return vec![self.notice("no friends yet; /add NAME asks somebody")];
        }
        self.list("Friends", lines)
    }
}

/// What a friend, or somebody who would be one, did.
pub(super) fn requested(state: &mut State, event: &friend::RequestedEvent) -> Vec<Effect> {
    let friend::RequestedEvent { user, name, display_name } = event;
    meet(state, *user, name, display_name, Relation::Asks);
    vec![state.notice(format!("{name} asks to be your friend: /accept {name} or /decline {name}"))]
}

pub(super) fn accepted(state: &mut State, event: &friend::AcceptedEvent) -> Vec<Effect> {
    let friend::AcceptedEvent { user, name, display_name, online } = event;
    let known = state.people.get(user).is_some_and(|person| person.relation == Relation::Friend);
    meet(state, *user, name, display_name, Relation::Friend).online = *online;
    if known { Vec::new() } else { vec![state.notice(format!("{name} is your friend now: /open {name}"))] }
}

pub(super) fn removed(state: &mut State, user: UserId) -> Vec<Effect> {
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

pub(super) fn presence(state: &mut State, event: &friend::PresenceEvent) -> Vec<Effect> {
    let Some(person) = state.people.get_mut(&event.user) else { return Vec::new() };
    let changed = std::mem::replace(&mut person.online, event.online) != event.online;
    let line = format!("* {} is {}", person.name, if event.online { "online" } else { "offline" });
    if changed { vec![Effect::Say(Safe::line(&line))] } else { Vec::new() }
}

pub(super) fn deleted(state: &mut State, user: UserId) -> Vec<Effect> {
    let Some(person) = state.people.get_mut(&user) else { return Vec::new() };
    (person.relation, person.online) = (Relation::Stranger, false);
    let name = person.name.clone();
    vec![state.notice(format!("{name} has deleted the account"))]
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

/// Notes who a stranger is. Whoever is more than a stranger by now is known better.
pub(super) fn meet_stranger(state: &mut State, user: UserId, name: &str, display_name: &str) {
    if !state.people.contains_key(&user) && !state.is_me(user) {
        meet(state, user, name, display_name, Relation::Stranger);
    }
}

pub(super) fn set_friends(state: &mut State, friends: Vec<friend::FriendEntry>) {
    for person in state.people.values_mut().filter(|person| person.relation == Relation::Friend) {
        (person.relation, person.online) = (Relation::Stranger, false);
    }
    for entry in friends {
        meet(state, entry.user, &entry.name, &entry.display_name, Relation::Friend).online = entry.online;
    }
}

pub(super) fn set_requests(state: &mut State, requests: friend::Requests) -> Vec<Effect> {
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

pub(super) fn related(
    state: &mut State,
    verb: Verb,
    name: &str,
    profile: &user::Profile,
    friends: bool,
) -> Vec<Effect> {
    let (relation, text) = match verb {
        Verb::Add if !friends => (Relation::Asked, format!("asked {name}")),
        Verb::Add | Verb::Accept => (Relation::Friend, format!("{name} is your friend now: /open {name}")),
        Verb::Decline => (Relation::Stranger, format!("there is no request between you and {name} any more")),
        Verb::Remove => (Relation::Stranger, format!("{name} is no longer your friend")),
        Verb::Block => (Relation::Blocked, format!("{name} is blocked: /unblock {name} takes it back")),
        Verb::Unblock => (Relation::Stranger, format!("{name} is no longer blocked")),
    };
    let before = state.people.get(&profile.user).map(|person| person.relation);
    meet(state, profile.user, &profile.name, &profile.display_name, relation).online =
        profile.online && relation == Relation::Friend;
    // The event may have said so already.
    let said = relation == Relation::Friend && before == Some(Relation::Friend);
    if said { Vec::new() } else { vec![state.notice(text)] }
}
