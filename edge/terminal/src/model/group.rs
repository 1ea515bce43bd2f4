//! Groups: which ones the user is in, and what becomes of them.

pub(super) mod answers;
mod notice;

use broker_schemas::group::{AnnouncedEvent, AskedEvent, Change, GroupEntry, JoinedEvent};
use broker_schemas::message::{self, Standing};
use broker_schemas::rights::Role;
use broker_schemas::{Conversation, GroupId, UserId};

pub(super) use notice::named;

use super::say::Saying;
use super::{Effect, State, Why, people};
use crate::text::Safe;

/// A group that the user is in.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Empty while it isn't known.
    pub(crate) name: Safe,
    pub(crate) role: Role,
    /// What it shows to whoever opens it.
    pub(crate) announcement: Option<Safe>,
    /// It has ended; what was said stays.
    pub(crate) dissolved: bool,
}

impl Group {
    fn called(name: &str) -> Self {
        Self { name: Safe::line(name), role: Role::Member, announcement: None, dissolved: false }
    }
}

impl State {
    /// The groups to show: by name, those that ended last.
    pub(crate) fn groups_by_name(&self) -> Vec<(GroupId, &Group)> {
        let mut groups: Vec<_> = self.groups.iter().map(|(id, group)| (*id, group)).collect();
        groups.sort_by_key(|(id, group)| (group.dissolved, group.name.as_str().to_lowercase(), *id));
        groups
    }

    /// The user is in a group. Whether that is news.
    fn enter(&mut self, id: GroupId, name: &str) -> bool {
        let new = !self.groups.contains_key(&id);
        let group = self.groups.entry(id).or_insert_with(|| Group::called(name));
        group.name = Safe::line(name);
        new
    }

    /// The user is in a group no longer. What it was called, if that is news.
    fn quit_group(&mut self, id: GroupId) -> Option<Safe> {
        let conversation = Conversation::group(id);
        let title = self.label(conversation);
        self.threads.remove(&conversation);
        if self.open == Some(conversation) {
            self.open = None;
        }
        self.groups.remove(&id).map(|_| title)
    }

    /// A message came from a group: that is one of the user's, whether or not anybody said so.
    pub(super) fn note_group(&mut self, conversation: Conversation) -> Option<Effect> {
        let id = conversation.group_id()?;
        self.groups.entry(id).or_insert_with(|| Group::called(""));
        self.look_up_group(conversation)
    }

    /// A notice came: the group is so now.
    pub(super) fn take_notice(&mut self, entry: &message::Entry) {
        let (Some(id), Some(change)) = (entry.conversation.group_id(), &entry.notice) else { return };
        let me = self.me.as_ref().map(|me| me.user);
        let Some(group) = self.groups.get_mut(&id) else { return };
        match change {
            Change::Created { name, .. } => {
                group.name = Safe::line(name);
                if Some(entry.from) == me {
                    group.role = Role::Owner;
                }
            }
            Change::Renamed { name } => group.name = Safe::line(name),
            Change::Dissolved {} => group.dissolved = true,
            Change::Announced { text } => group.announcement = announcement(text),
            Change::RoleSet { user, role } if Some(*user) == me => group.role = *role,
            Change::Transferred { user } if Some(*user) == me => group.role = Role::Owner,
            Change::Transferred { .. } if Some(entry.from) == me => group.role = Role::Administrator,
            _ => {}
        }
    }

    pub(super) fn set_groups(&mut self, entries: Vec<GroupEntry>) {
        for entry in entries {
            self.enter(entry.group, &entry.name);
            if let Some(group) = self.groups.get_mut(&entry.group) {
                (group.role, group.dissolved) = (entry.role, false);
            }
        }
    }

    /// Signed in: these are the groups, and these the conversations, if all of them are known.
    pub(super) fn replace_groups(
        &mut self,
        entries: Vec<GroupEntry>,
        all: Option<&[Standing]>,
    ) -> Vec<Effect> {
        let listed: Vec<_> = entries.iter().map(|entry| entry.group).collect();
        if let Some(standings) = all {
            let stays = |id: &GroupId| {
                listed.contains(id)
                    || standings.iter().any(|entry| entry.conversation.group_id() == Some(*id))
            };
            let gone: Vec<_> = self.groups.keys().filter(|id| !stays(id)).copied().collect();
            for id in gone {
                self.quit_group(id);
            }
        }
        self.set_groups(entries);
        // Whoever is in a group that isn't listed is in one that was dissolved, or joined it just now.
        let mut effects = Vec::new();
        for standing in all.unwrap_or_default() {
            if let Some(id) = standing.conversation.group_id().filter(|id| !listed.contains(id)) {
                self.groups.entry(id).or_insert_with(|| Group::called(""));
                effects.push(Effect::GroupProfile { group: id, why: Why::Shown });
            }
        }
        effects
    }
}

pub(super) fn joined(state: &mut State, event: JoinedEvent) -> Vec<Effect> {
    let new = state.enter(event.group, &event.name);
    let mut effects = if new { state.say(Saying::Joined(event)) } else { Vec::new() };
    // What one is in it, the event doesn't say.
    effects.push(Effect::Groups { say: false });
    effects
}

pub(super) fn left(state: &mut State, group: GroupId) -> Vec<Effect> {
    match state.quit_group(group) {
        Some(title) => vec![state.notice(format!("you left the group {title}"))],
        None => Vec::new(),
    }
}

pub(super) fn kicked(state: &mut State, group: GroupId, by: UserId) -> Vec<Effect> {
    let title = state.quit_group(group);
    let mut effects = title.map_or_else(Vec::new, |title| state.say(Saying::PutOut(by, title)));
    // Taken in again meanwhile: two copies of the service may tell both in either order.
    effects.push(Effect::Groups { say: false });
    effects
}

pub(super) fn dissolved(state: &mut State, group: GroupId) {
    // The notice says so, in its place.
    if let Some(group) = state.groups.get_mut(&group) {
        group.dissolved = true;
    }
}

pub(super) fn announced(state: &mut State, event: &AnnouncedEvent) {
    if let Some(group) = state.groups.get_mut(&event.group) {
        group.announcement = announcement(&event.text);
    }
}

pub(super) fn asked(state: &mut State, event: &AskedEvent) -> Vec<Effect> {
    let AskedEvent { group, user, name, display_name } = event;
    people::meet_stranger(state, *user, name, display_name);
    let title = state.title_of(Conversation::group(*group));
    let text = format!("{name} asks to join: /open {title}, then /approve {name} or /refuse {name}");
    vec![state.notice_in(Conversation::group(*group), text)]
}

fn announcement(text: &str) -> Option<Safe> {
    (!text.is_empty()).then(|| Safe::text(text))
}
