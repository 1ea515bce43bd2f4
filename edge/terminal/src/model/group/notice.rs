//! What happened to a group, as it stands in its conversation.

use broker_schemas::UserId;
use broker_schemas::group::Change;
use broker_schemas::rights::Role;

use crate::model::command::{how_to_join, what_is_seen};
use crate::model::{State, moment};

/// How many people a line names; the rest are counted.
const NAMED: usize = 5;

impl State {
    /// What `by` did to a group, in words. Not yet fit for a terminal: names of groups and announcements are other people's.
    pub(in crate::model) fn notice_words(&self, by: UserId, change: &Change) -> String {
        let name = |user: UserId| self.name_of(user);
        let (who, itself) = (name(by), "the group");
        match change {
            Change::Created { name, members } if members.is_empty() => format!("{who} made the group {name}"),
            Change::Created { name, members } => {
                format!("{who} made the group {name} with {}", self.names(members))
            }
            Change::Joined { user } if *user == by => format!("{who} joined"),
            Change::Joined { user } => format!("{who} added {}", name(*user)),
            Change::Left { user } => format!("{} left", name(*user)),
            Change::Kicked { user } => format!("{} was put out by {who}", name(*user)),
            Change::Dissolved {} => format!("{who} dissolved {itself}: nobody writes here any more"),
            Change::Transferred { user } if *user == by => format!("{who} is the owner now"),
            Change::Transferred { user } => format!("{who} made {} the owner", name(*user)),
            Change::RoleSet { user, role: Role::Member } => {
                format!("{} is no longer an administrator, says {who}", name(*user))
            }
            Change::RoleSet { user, .. } => format!("{who} made {} an administrator", name(*user)),
            Change::Muted { user: Some(user), until: Some(until) } => {
                format!("{who} muted {} until {}", name(*user), moment(*until))
            }
            Change::Muted { user: None, until: Some(until) } => {
                format!("{who} muted all plain members until {}", moment(*until))
            }
            Change::Muted { user: Some(user), until: None } => {
                format!("{who} let {} write again", name(*user))
            }
            Change::Muted { user: None, until: None } => format!("{who} let all members write again"),
            Change::Announced { text } if text.is_empty() => format!("{who} took the announcement away"),
            Change::Announced { text } => format!("{who} announced: {text}"),
            Change::Renamed { name } => format!("{itself} is now called {name}, says {who}"),
            Change::Configured { admission, visible } => {
                format!("{who} set that {}, and that {}", how_to_join(*admission), what_is_seen(*visible))
            }
        }
    }

    /// The first of these people, and how many more there are.
    pub(in crate::model) fn names(&self, users: &[UserId]) -> String {
        let mut names: Vec<_> =
            users.iter().take(NAMED).map(|user| self.name_of(*user).to_string()).collect();
        if users.len() > NAMED {
            names.push(format!("{} more", users.len() - NAMED));
        }
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => "nobody".into(),
        }
    }
}

/// Whom a line about it names.
pub(in crate::model) fn named(change: &Change) -> Vec<UserId> {
    match change {
        Change::Created { members, .. } => members.iter().take(NAMED).copied().collect(),
        Change::Joined { user }
        | Change::Left { user }
        | Change::Kicked { user }
        | Change::Transferred { user }
        | Change::RoleSet { user, .. }
        | Change::Muted { user: Some(user), .. } => vec![*user],
        _ => Vec::new(),
    }
}
