//! What became of what was asked about groups.

use broker_schemas::group::{GroupEntry, MemberEntry, Profile, Requests};
use broker_schemas::rights::Role;
use broker_schemas::{Conversation, GroupId};
use natter_client::CallError;

use super::{announcement, left};
use crate::model::command::{how_to_join, what_is_seen};
use crate::model::names::plainly;
use crate::model::{Act, Effect, Mode, State, Why, explain, moment, people};
use crate::text::Safe;

pub(in crate::model) fn created(
    state: &mut State,
    name: &str,
    result: Result<GroupId, CallError>,
) -> Vec<Effect> {
    match result {
        Ok(id) => {
            let new = state.enter(id, name);
            if let Some(group) = state.groups.get_mut(&id) {
                group.role = Role::Owner;
            }
            let text = format!("you are in the group {name} (g{id}): /open {name}");
            if new { vec![state.notice(text)] } else { Vec::new() }
        }
        Err(error) => vec![state.notice(format!("the group {name} is not made: {}", explain(&error)))],
    }
}

pub(in crate::model) fn joined(
    state: &mut State,
    id: GroupId,
    result: Result<bool, CallError>,
) -> Vec<Effect> {
    match result {
        // The event says so, with the group's name.
        Ok(true) if state.groups.contains_key(&id) => {
            vec![state.notice(format!("you are in g{id}: /open g{id}"))]
        }
        Ok(true) => vec![Effect::Groups { say: false }],
        Ok(false) => vec![state.notice(format!("asked to join g{id}; /leave g{id} takes that back"))],
        Err(error) => vec![state.notice(format!("g{id} is not joined: {}", explain(&error)))],
    }
}

pub(in crate::model) fn acted(
    state: &mut State,
    id: GroupId,
    act: &Act,
    result: Result<(), CallError>,
) -> Vec<Effect> {
    let conversation = Conversation::group(id);
    match result {
        Ok(()) if *act == (Act::Leave { member: true }) => left(state, id),
        Ok(()) => vec![state.notice_in(conversation, act.done())],
        Err(error) => vec![state.notice_in(conversation, explain(&error))],
    }
}

pub(in crate::model) fn listed(
    state: &mut State,
    say: bool,
    result: Result<Vec<GroupEntry>, CallError>,
) -> Vec<Effect> {
    let entries = match result {
        Ok(entries) => entries,
        Err(error) if say => {
            return vec![state.notice(format!("no list of groups now: {}", explain(&error)))];
        }
        Err(_) => return Vec::new(),
    };
    let row = |entry: &GroupEntry| {
        let unread = entry.unread.filter(|count| *count > 0).map(|count| format!(", {count} unread"));
        let (name, id) = (shown_name(state.mode, &entry.name), entry.group);
        format!(
            "{name} (g{id}, {}, you are {}{})",
            how_many(entry.members),
            role(entry.role),
            unread.unwrap_or_default()
        )
    };
    let lines: Vec<_> = entries.iter().map(row).collect();
    state.set_groups(entries);
    match say {
        true if lines.is_empty() => vec![state.notice("no groups yet; /create NAME makes one")],
        true => state.list("Groups", lines),
        false => Vec::new(),
    }
}

/// A group's name as this mode shows it.
fn shown_name(mode: Mode, name: &str) -> Safe {
    if mode == Mode::Plain { plainly(name) } else { Safe::line(name) }
}

fn how_many(members: u32) -> String {
    if members == 1 { "1 member".into() } else { format!("{members} members") }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "the owner",
        Role::Administrator => "an administrator",
        Role::Member => "a member",
    }
}

pub(in crate::model) fn profiled(
    state: &mut State,
    id: GroupId,
    why: Why,
    result: Result<Profile, CallError>,
) -> Vec<Effect> {
    state.lookups.groups.remove(&id);
    let conversation = Conversation::group(id);
    let profile = match result {
        Ok(profile) => profile,
        Err(error) => {
            state.lookups.nameless_groups.insert(id);
            let mut effects = state.say_what_is_known();
            if why == Why::Asked {
                effects.push(state.notice_in(conversation, explain(&error)));
            }
            return effects;
        }
    };
    let shown = profile.announcement.as_ref().map(|shown| shown.text.as_str()).unwrap_or_default();
    if let Some(group) = state.groups.get_mut(&id) {
        group.name = Safe::line(&profile.name);
        group.role = profile.role.unwrap_or(group.role);
        group.announcement = announcement(shown);
        group.dissolved |= profile.dissolved;
    }
    let mut effects = state.say_what_is_known();
    match why {
        Why::Opened if state.mode == Mode::Plain && !shown.is_empty() => {
            effects.push(state.notice_in(conversation, format!("announcement: {shown}")));
        }
        Why::Asked => effects.extend(state.list("This group", about(state.mode, &profile))),
        Why::Shown | Why::Opened => {}
    }
    effects
}

/// What a group is, in words.
fn about(mode: Mode, profile: &Profile) -> Vec<String> {
    let Profile { group, name, members, admission, visible, .. } = profile;
    let title = format!("{} (g{group}), {}", shown_name(mode, name), how_many(*members));
    if profile.dissolved {
        return vec![title, "it was dissolved: what was said can be read".to_owned()];
    }
    let mut lines = vec![title, how_to_join(*admission).to_owned(), what_is_seen(*visible).to_owned()];
    lines.extend(profile.role.map(|own| format!("you are {}", role(own))));
    lines.extend(
        profile.muted_until.map(|until| format!("plain members can't write until {}", moment(until))),
    );
    lines.extend(profile.announcement.as_ref().map(|shown| format!("announcement: {}", shown.text)));
    lines
}

pub(in crate::model) fn members(
    state: &mut State,
    id: GroupId,
    say: bool,
    result: Result<Vec<MemberEntry>, CallError>,
) -> Vec<Effect> {
    let members = match result {
        Ok(members) => members,
        Err(error) if say => return vec![state.notice_in(Conversation::group(id), explain(&error))],
        Err(_) => return Vec::new(),
    };
    for member in &members {
        people::meet_stranger(state, member.user, &member.name, &member.display_name);
    }
    let mut effects = state.say_what_is_known();
    if say {
        let row = |member: &MemberEntry| {
            let online = if member.online { "online" } else { "offline" };
            let muted = member.muted_until.map(|until| format!(", muted until {}", moment(until)));
            format!("{} ({}, {online}{})", member.name, role(member.role), muted.unwrap_or_default())
        };
        effects.extend(state.list("Members", members.iter().map(row)));
    }
    effects
}

pub(in crate::model) fn requests(
    state: &mut State,
    id: GroupId,
    result: Result<Requests, CallError>,
) -> Vec<Effect> {
    let requests = match result {
        Ok(requests) => requests,
        Err(error) => return vec![state.notice_in(Conversation::group(id), explain(&error))],
    };
    let asking = requests.asking.iter().map(|entry| {
        let name = &entry.name;
        format!("{name} asks to join: /approve {name} or /refuse {name}")
    });
    let blocked = requests.blocked.iter().map(|entry| {
        let name = &entry.name;
        format!("{name} is kept out: /readmit {name} ends that")
    });
    let lines: Vec<_> = asking.chain(blocked).collect();
    if lines.is_empty() {
        return vec![state.notice_in(Conversation::group(id), "nobody asks to join, and nobody is kept out")];
    }
    state.list("Requests", lines)
}
