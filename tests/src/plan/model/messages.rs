//! What is said, and what becomes of it.

use std::collections::BTreeSet;

use broker_schemas::Code;
use broker_schemas::rights::{self, Role, Verdict};

use super::{Answer, Message, Model, Talk, pair};
use crate::plan::action::{Action, Place};

impl Talk {
    pub(super) fn say(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// A message that `user` may see.
    fn find(&mut self, user: usize, seq: u64) -> Result<&mut Message, Code> {
        let (first, _) = self.readers.get(&user).ok_or(Code::NotFound)?;
        let seq = Some(seq).filter(|seq| seq >= first).ok_or(Code::NotFound)?;
        self.messages.get_mut(usize::try_from(seq - 1).unwrap()).ok_or(Code::NotFound)
    }
}

impl Model {
    pub(super) fn in_conversation(&mut self, me: usize, action: &Action) -> Answer {
        match action {
            Action::Send { place: Place::With(other), .. } if !self.are_friends(me, *other) => {
                return Err(Code::Forbidden);
            }
            Action::Send { place, quote, text } => {
                let (talk, may_write) = self.seat(me, *place)?;
                may_write?;
                if quote.is_some_and(|quote| talk.find(me, quote).is_err()) {
                    return Err(Code::Invalid);
                }
                talk.say(Message { from: me, text: text.clone(), quote: *quote, ..Message::default() });
            }
            Action::Edit { place, seq, text } => {
                let (talk, may_write) = self.seat(me, *place)?;
                let revision = talk.revision + 1;
                let message = talk.find(me, *seq)?;
                may_write?;
                if message.is_notice || message.from != me {
                    return Err(Code::Forbidden);
                }
                if message.recalled_by.is_some() {
                    return Err(Code::Conflict);
                }
                if message.text != *text {
                    (message.text, message.edited, message.revision) = (text.clone(), true, revision);
                    talk.revision = revision;
                }
            }
            Action::Recall { place, seq } => {
                let roles = match *place {
                    Place::In(group) => self.groups.get(group).map(|group| group.members.clone()),
                    Place::With(_) => None,
                };
                let role = |user: usize| Some(roles.as_ref()?.get(&user)?.0);
                let (talk, _) = self.seat(me, *place)?;
                let revision = talk.revision + 1;
                let message = talk.find(me, *seq)?;
                // Of a member, or of somebody who was one.
                let of_member = role(message.from).is_none_or(|role| role == Role::Member);
                let may = message.from == me || (role(me) > Some(Role::Member) && of_member);
                if message.is_notice || !may {
                    return Err(Code::Forbidden);
                }
                if message.recalled_by.is_none() {
                    let (from, edited, recalled_by) = (message.from, message.edited, Some(me));
                    *message = Message { from, edited, recalled_by, revision, ..Message::default() };
                    talk.revision = revision;
                }
            }
            Action::React { place, seq, reaction, remove } => {
                let (talk, may_write) = self.seat(me, *place)?;
                let revision = talk.revision + 1;
                let message = talk.find(me, *seq)?;
                may_write?;
                if message.recalled_by.is_some() && !remove {
                    return Err(Code::Conflict);
                }
                if !message.reactions.iter().any(|(other, _)| other == reaction) {
                    message.reactions.push((reaction, BTreeSet::new()));
                }
                let (_, users) = message.reactions.iter_mut().find(|(other, _)| other == reaction).unwrap();
                let changed = if *remove { users.remove(&me) } else { users.insert(me) };
                message.reactions.retain(|(_, users)| !users.is_empty());
                if changed {
                    message.revision = revision;
                    talk.revision = revision;
                }
            }
            Action::Read { place, seq } => {
                let (talk, _) = self.seat(me, *place)?;
                let last = talk.messages.len() as u64;
                let (_, read) = talk.readers.get_mut(&me).ok_or(Code::NotFound)?;
                if *seq > last {
                    return Err(Code::Invalid);
                }
                *read = (*read).max(*seq);
            }
            _ => unreachable!("{action:?} is about something else"),
        }
        Ok(())
    }

    /// What is said in a place that `me` is in, and whether `me` may write there.
    fn seat(&mut self, me: usize, place: Place) -> Result<(&mut Talk, Answer), Code> {
        let may = |may: bool| if may { Ok(()) } else { Err(Code::Forbidden) };
        match place {
            Place::With(other) => {
                let friends = may(self.are_friends(me, other));
                Ok((self.directs.get_mut(&pair(me, other)).ok_or(Code::NotFound)?, friends))
            }
            Place::In(group) => {
                let group = self.groups.get_mut(group).ok_or(Code::NotFound)?;
                match rights::verdict("message.send", group.standing(me)).unwrap() {
                    Verdict::NotFound => Err(Code::NotFound),
                    verdict => Ok((&mut group.talk, may(verdict == Verdict::May && !group.dissolved))),
                }
            }
        }
    }
}
