//! Who is whose friend, and who blocks whom.

use broker_schemas::Code;

use super::{Answer, Model, pair};
use crate::plan::action::Action;

impl Model {
    pub(in crate::plan) fn are_friends(&self, a: usize, b: usize) -> bool {
        self.ties.get(&pair(a, b)) == Some(&None)
    }

    pub(super) fn among_people(&mut self, me: usize, action: &Action) -> Answer {
        match action {
            Action::Request(other) | Action::Accept(other) => {
                let tie = self.ties.get(&pair(me, *other)).copied();
                match (action, tie) {
                    _ if self.blocks.contains(&(me, *other)) => return Err(Code::Conflict),
                    (_, Some(None)) => {}
                    (_, Some(Some(asker))) if asker == *other => self.befriend(me, *other),
                    (Action::Accept(_), _) => return Err(Code::NotFound),
                    _ => drop(self.ties.insert(pair(me, *other), Some(me))),
                }
            }
            Action::DeclineFriend(other) => match self.ties.get(&pair(me, *other)) {
                Some(None) => return Err(Code::Conflict),
                Some(Some(asker)) if *asker == *other && self.blocks.contains(&(me, *other)) => {}
                _ => drop(self.ties.remove(&pair(me, *other))),
            },
            Action::Remove(other) if self.are_friends(me, *other) => {
                self.ties.remove(&pair(me, *other));
            }
            Action::Remove(_) => {}
            Action::Block(other) => {
                if self.blocks.insert((me, *other)) {
                    self.ties.remove(&pair(me, *other));
                }
            }
            Action::Unblock(other) => drop(self.blocks.remove(&(me, *other))),
            _ => unreachable!("{action:?} is about something else"),
        }
        Ok(())
    }

    fn befriend(&mut self, a: usize, b: usize) {
        self.ties.insert(pair(a, b), None);
        let talk = self.directs.entry(pair(a, b)).or_default();
        talk.readers.entry(a).or_insert((1, 0));
        talk.readers.entry(b).or_insert((1, 0));
    }
}
