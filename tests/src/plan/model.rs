//! What the system is meant to do, in about a hundred lines: no network, no database, no time.

use std::collections::{BTreeMap, BTreeSet};

use broker_schemas::Code;
use broker_schemas::group::{Admission, Visible};
use broker_schemas::rights::{self, Role, Standing, Verdict};

use super::action::{Action, InGroup, Place};

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

impl Talk {
    fn say(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// A message that `user` may see.
    fn find(&mut self, user: usize, seq: u64) -> Result<&mut Message, Code> {
        let (first, _) = self.readers.get(&user).ok_or(Code::NotFound)?;
        let seq = Some(seq).filter(|seq| seq >= first).ok_or(Code::NotFound)?;
        self.messages.get_mut(usize::try_from(seq - 1).unwrap()).ok_or(Code::NotFound)
    }
}

impl Group {
    fn notice(&mut self, by: usize, words: String) {
        self.talk.say(Message { from: by, is_notice: true, text: words, ..Message::default() });
    }

    fn standing(&self, user: usize) -> Standing {
        match self.members.get(&user) {
            Some((Role::Owner, _)) => Standing::Owner,
            Some((Role::Administrator, _)) => Standing::Administrator,
            Some((Role::Member, muted)) if *muted || self.muted => Standing::Muted,
            Some((Role::Member, _)) => Standing::Member,
            None if self.blocked.contains(&user) => Standing::Blocked,
            None => Standing::Stranger,
        }
    }

    fn take_in(&mut self, by: usize, user: usize) {
        self.asking.remove(&user);
        self.members.insert(user, (Role::Member, false));
        self.notice(by, format!("joined {user}"));
        let here = self.talk.messages.len() as u64;
        let first = if self.visible == Visible::Everything { 1 } else { here };
        self.talk.readers.insert(user, (first, here - 1));
    }

    fn put_out(&mut self, by: usize, user: usize, words: &str) {
        self.members.remove(&user);
        self.talk.readers.remove(&user);
        self.notice(by, format!("{words} {user}"));
    }

    /// The role of a member on whom `by` may act.
    fn below(&self, by: usize, user: usize) -> Result<(Role, bool), Code> {
        let (role, muted) = *self.members.get(&user).ok_or(Code::NotFound)?;
        let may = role != Role::Owner && (role == Role::Member || self.members[&by].0 == Role::Owner);
        may.then_some((role, muted)).ok_or(Code::Forbidden)
    }
}

impl Model {
    pub(super) fn are_friends(&self, a: usize, b: usize) -> bool {
        self.ties.get(&pair(a, b)) == Some(&None)
    }

    pub(super) fn apply(&mut self, me: usize, action: &Action) -> Answer {
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
            Action::Create { members, admission, visible } => {
                if !members.iter().all(|member| self.are_friends(me, *member)) {
                    return Err(Code::Forbidden);
                }
                let mut roles = BTreeMap::from([(me, (Role::Owner, false))]);
                roles.extend(members.iter().map(|member| (*member, (Role::Member, false))));
                let readers = roles.keys().map(|member| (*member, (1, 0))).collect();
                let talk = Talk { readers, ..Talk::default() };
                let (asking, blocked) = (BTreeSet::new(), BTreeSet::new());
                let (admission, visible, name, announcement) = (*admission, *visible, "group", "");
                let (muted, dissolved, passed_on) = (false, false, None);
                self.groups.push(Group {
                    name,
                    admission,
                    visible,
                    announcement,
                    muted,
                    dissolved,
                    passed_on,
                    asking,
                    blocked,
                    members: roles,
                    talk,
                });
                self.groups.last_mut().unwrap().notice(me, format!("created group with {members:?}"));
            }
            Action::Group(group, what) => return self.in_group(me, *group, what),
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
        }
        Ok(())
    }

    fn befriend(&mut self, a: usize, b: usize) {
        self.ties.insert(pair(a, b), None);
        let talk = self.directs.entry(pair(a, b)).or_default();
        talk.readers.entry(a).or_insert((1, 0));
        talk.readers.entry(b).or_insert((1, 0));
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

    fn in_group(&mut self, me: usize, at: usize, what: &InGroup) -> Answer {
        let friend = matches!(what, InGroup::Invite(other) if self.are_friends(me, *other));
        let Some(group) = self.groups.get_mut(at) else {
            return if *what == InGroup::Leave { Ok(()) } else { Err(Code::NotFound) };
        };
        let standing = group.standing(me);
        let role = group.members.get(&me).map(|(role, _)| *role);
        if group.dissolved {
            return match (what, role) {
                (InGroup::Leave, Some(_)) => {
                    group.put_out(me, me, "left");
                    Ok(())
                }
                (InGroup::Leave, None) | (InGroup::Dissolve, Some(Role::Owner)) => Ok(()),
                (_, Some(_)) => Err(Code::Conflict),
                (_, None) => Err(Code::NotFound),
            };
        }
        let (open, listed) = (group.admission == Admission::Open, group.admission != Admission::Invitation);
        match (what, rights::verdict(what.method(), standing).unwrap()) {
            (InGroup::Leave, Verdict::Nothing) => drop(group.asking.remove(&me)),
            (_, Verdict::Nothing) => {}
            (InGroup::Transfer(other), Verdict::Forbidden) if group.passed_on == Some((me, *other)) => {}
            (_, Verdict::NotFound) => return Err(Code::NotFound),
            (_, Verdict::Forbidden) => return Err(Code::Forbidden),
            (_, Verdict::MayIfOpen) if !open => return Err(Code::Forbidden),
            (_, Verdict::MayJoin) if !listed => return Err(Code::NotFound),
            (_, Verdict::MayJoin) if !open => drop(group.asking.insert(me)),
            _ => return group.change(me, what, friend),
        }
        Ok(())
    }
}

impl Group {
    /// Does what the caller may.
    fn change(&mut self, me: usize, what: &InGroup, is_friend: bool) -> Answer {
        match *what {
            InGroup::Join => self.take_in(me, me),
            InGroup::Leave => self.put_out(me, me, "left"),
            InGroup::Dissolve => {
                (self.dissolved, self.asking, self.blocked) = (true, BTreeSet::new(), BTreeSet::new());
                self.notice(me, "dissolved".into());
            }
            InGroup::Invite(other) | InGroup::Approve(other) if self.members.contains_key(&other) => {}
            InGroup::Invite(_) if !is_friend => return Err(Code::Forbidden),
            InGroup::Invite(other) if self.blocked.contains(&other) => return Err(Code::Conflict),
            InGroup::Approve(other) if !self.asking.contains(&other) => return Err(Code::NotFound),
            InGroup::Invite(other) | InGroup::Approve(other) => self.take_in(me, other),
            InGroup::Decline(other) => drop(self.asking.remove(&other)),
            InGroup::Kick(other, block) => {
                let is_member = self.members.contains_key(&other);
                if is_member {
                    self.below(me, other)?;
                    self.put_out(me, other, "kicked");
                }
                if block {
                    self.asking.remove(&other);
                    self.blocked.insert(other);
                }
            }
            InGroup::Unblock(other) => drop(self.blocked.remove(&other)),
            InGroup::Transfer(other) => {
                *self.members.get_mut(&other).ok_or(Code::NotFound)? = (Role::Owner, false);
                self.members.get_mut(&me).unwrap().0 = Role::Administrator;
                self.passed_on = Some((me, other));
                self.notice(me, format!("transferred {other}"));
            }
            InGroup::SetRole(other, role) => {
                if self.below(me, other)?.0 != role {
                    // Only plain members are muted, so this ends a mute.
                    *self.members.get_mut(&other).unwrap() = (role, false);
                    self.notice(me, format!("role_set {other} {role:?}"));
                }
            }
            InGroup::Mute(None, mute) if self.muted == mute => {}
            InGroup::Mute(None, mute) => {
                self.muted = mute;
                self.notice(me, format!("muted all {mute}"));
            }
            InGroup::Mute(Some(other), mute) => match self.below(me, other)? {
                (Role::Member, muted) if muted == mute => {}
                (Role::Member, _) => {
                    self.members.get_mut(&other).unwrap().1 = mute;
                    self.notice(me, format!("muted {other} {mute}"));
                }
                _ => return Err(Code::Conflict),
            },
            InGroup::Announce(text) if self.announcement == text => {}
            InGroup::Announce(text) => {
                self.announcement = text;
                self.notice(me, format!("announced {text}"));
            }
            InGroup::Rename(name) if self.name == name => {}
            InGroup::Rename(name) => {
                self.name = name;
                self.notice(me, format!("renamed {name}"));
            }
            InGroup::Configure(admission, visible) => {
                let now = (admission.unwrap_or(self.admission), visible.unwrap_or(self.visible));
                if now != (self.admission, self.visible) {
                    (self.admission, self.visible) = now;
                    self.notice(me, format!("configured {:?} {:?}", now.0, now.1));
                }
            }
        }
        Ok(())
    }
}
