//! What the system is meant to do: no network, no database, no time.

mod groups;
mod messages;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use broker_schemas::Code;
use broker_schemas::group::{Admission, Visible};
use broker_schemas::rights::Role;

use super::action::Action;

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// By a pair, the smaller number first: who asked, or nobody once they are friends.
    pub(super) ties: BTreeMap<(usize, usize), Option<usize>>,
    /// Who blocks whom.
    blocks: BTreeSet<(usize, usize)>,
    pub(super) groups: Vec<Group>,
    pub(super) directs: BTreeMap<(usize, usize), Talk>,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) admission: Admission,
    pub(super) visible: Visible,
    pub(super) announcement: &'static str,
    pub(super) muted: bool,
    pub(super) dissolved: bool,
    passed_on: Option<(usize, usize)>,
    pub(super) asking: BTreeSet<usize>,
    pub(super) blocked: BTreeSet<usize>,
    /// Role, and whether muted alone.
    pub(super) members: BTreeMap<usize, (Role, bool)>,
    pub(super) talk: Talk,
}

/// What is said in a conversation.
#[derive(Debug, Clone, Default)]
pub(super) struct Talk {
    pub(super) messages: Vec<Message>,
    pub(super) revision: u64,
    /// Of each member, the first message that they may read, and the last that they have.
    pub(super) readers: BTreeMap<usize, (u64, u64)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) is_notice: bool,
    pub(super) text: String,
    pub(super) quote: Option<u64>,
    pub(super) edited: bool,
    pub(super) recalled_by: Option<usize>,
    pub(super) reactions: Vec<(&'static str, BTreeSet<usize>)>,
    pub(super) revision: u64,
}

pub(super) type Answer = Result<(), Code>;

const fn pair(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}

impl Model {
    /// Does what `me` does, or says why not.
    pub(super) fn apply(&mut self, me: usize, action: &Action) -> Answer {
        match action {
            Action::Request(_)
            | Action::Accept(_)
            | Action::DeclineFriend(_)
            | Action::Remove(_)
            | Action::Block(_)
            | Action::Unblock(_) => self.among_people(me, action),
            Action::Create { members, admission, visible } => self.create(me, members, *admission, *visible),
            Action::Group(group, what) => self.in_group(me, *group, what),
            Action::Send { .. }
            | Action::Edit { .. }
            | Action::Recall { .. }
            | Action::React { .. }
            | Action::Read { .. } => self.in_conversation(me, action),
        }
    }
}
