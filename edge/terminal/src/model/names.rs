//! What people and conversations are called, and who is meant by a name.

use broker_schemas::message::MENTIONS_MAX;
use broker_schemas::{Conversation, GroupId, UserId};

use super::{Effect, Relation, State, Why};
use crate::text::Safe;

/// The name of a group without what ends a label.
pub(super) fn plainly(name: &str) -> Safe {
    Safe::line(&name.replace(['[', ']', '#'], "_"))
}

impl State {
    /// What to call a user: the account's name, which nobody else can take.
    pub(crate) fn name_of(&self, user: UserId) -> Safe {
        match (&self.me, self.people.get(&user)) {
            (Some(me), _) if me.user == user => me.name.clone(),
            (_, Some(person)) => person.name.clone(),
            _ => Safe::line(&format!("user {user}")),
        }
    }

    /// What to call a conversation.
    pub(crate) fn title_of(&self, conversation: Conversation) -> Safe {
        match (self.peer_of(conversation), conversation.group_id().and_then(|group| self.groups.get(&group)))
        {
            (Some(peer), _) => self.name_of(peer),
            (None, Some(group)) if !group.name.as_str().is_empty() => group.name.clone(),
            _ => Safe::line(&conversation.to_string()),
        }
    }

    /// What to call a conversation where the name stands between brackets, and must not end them: a group's name may have any
    /// characters.
    pub(super) fn label(&self, conversation: Conversation) -> Safe {
        plainly(self.title_of(conversation).as_str())
    }

    /// The conversation that a person means by `name`: a friend, a group by its name or its id, whatever the case of letters.
    pub(super) fn find(&self, name: &str) -> Result<Conversation, String> {
        let is_name = |known: &Safe| known.as_str().to_lowercase() == name.to_lowercase();
        let friend = self.people.iter().find(|(_, person)| is_name(&person.name));
        if let Some((user, person)) = friend
            && let Some(there) = self.conversation_with(*user)
            && (person.relation == Relation::Friend || self.threads.contains_key(&there))
        {
            return Ok(there);
        }
        if let Ok(there) = name.parse::<Conversation>()
            && there.group_id().is_some_and(|group| self.groups.contains_key(&group))
        {
            return Ok(there);
        }
        let groups: Vec<_> = self.groups.iter().filter(|(_, group)| is_name(&group.name)).collect();
        match *groups {
            [(group, _)] => Ok(Conversation::group(*group)),
            [] => Err(format!(
                "{name} is neither a friend of yours, whom /add {name} asks, nor a group that you are in"
            )),
            _ => {
                let ids: Vec<_> = groups.iter().map(|(group, _)| format!("g{group}")).collect();
                Err(format!("several groups are called {name}: {}", ids.join(", ")))
            }
        }
    }

    /// Whom a text mentions, as `@name`.
    pub(super) fn mentions_in(&self, text: &str) -> Vec<UserId> {
        let mut mentions = Vec::new();
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        for (at, _) in text.match_indices('@') {
            // Part of an address, for example.
            if text[..at].ends_with(in_name) {
                continue;
            }
            let word = text[at + 1..].split(|c| !in_name(c)).next().unwrap_or_default();
            // A full stop may be part of the name, or end the sentence.
            let found =
                [word, word.trim_end_matches(['.', '-'])].into_iter().find_map(|name| self.user_called(name));
            if let Some(user) = found
                && !mentions.contains(&user)
                && mentions.len() < MENTIONS_MAX
            {
                mentions.push(user);
            }
        }
        mentions
    }

    fn user_called(&self, name: &str) -> Option<UserId> {
        let is_name = |known: &Safe| known.as_str().eq_ignore_ascii_case(name);
        let me = self.me.as_ref().filter(|me| is_name(&me.name)).map(|me| me.user);
        me.or_else(|| self.people.iter().find(|(_, person)| is_name(&person.name)).map(|(user, _)| *user))
    }

    /// Whether there is nothing to wait for to call a user by name.
    pub(super) fn knows(&self, user: UserId) -> bool {
        self.is_me(user) || self.people.contains_key(&user) || self.lookups.nameless_users.contains(&user)
    }

    /// Whether there is nothing to wait for to call a group by name.
    pub(super) fn knows_group(&self, group: GroupId) -> bool {
        let named = |group: &super::Group| !group.name.as_str().is_empty();
        self.groups.get(&group).is_some_and(named) || self.lookups.nameless_groups.contains(&group)
    }

    /// Asks for the names of those who have none yet.
    pub(super) fn look_up(&mut self, users: impl IntoIterator<Item = UserId>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for user in users {
            if !self.knows(user) && self.lookups.users.insert(user) {
                effects.push(Effect::Profile(user));
            }
        }
        effects
    }

    /// Asks for the name of a group that has none yet.
    pub(super) fn look_up_group(&mut self, conversation: Conversation) -> Option<Effect> {
        let group = conversation.group_id()?;
        let new = !self.knows_group(group) && self.lookups.groups.insert(group);
        new.then_some(Effect::GroupProfile { group, why: Why::Shown })
    }
}
