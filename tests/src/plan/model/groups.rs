//! Who is in a group, and who may do what there.

use std::collections::{BTreeMap, BTreeSet};

use broker_schemas::Code;
use broker_schemas::group::{Admission, Visible};
use broker_schemas::rights::{self, Role, Standing, Verdict};

use super::{Answer, Group, Message, Model, Talk};
use crate::plan::action::InGroup;

impl Model {
    pub(super) fn create(
        &mut self,
        me: usize,
        members: &[usize],
        admission: Admission,
        visible: Visible,
    ) -> Answer {
        if !members.iter().all(|member| self.are_friends(me, *member)) {
            return Err(Code::Forbidden);
        }
        let mut roles = BTreeMap::from([(me, (Role::Owner, false))]);
        roles.extend(members.iter().map(|member| (*member, (Role::Member, false))));
        let readers = roles.keys().map(|member| (*member, (1, 0))).collect();
        let talk = Talk { readers, ..Talk::default() };
        let (asking, blocked) = (BTreeSet::new(), BTreeSet::new());
        let (name, announcement) = ("group", "");
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
        Ok(())
    }

    pub(super) fn in_group(&mut self, me: usize, at: usize, what: &InGroup) -> Answer {
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
    fn notice(&mut self, by: usize, words: String) {
        self.talk.say(Message { from: by, is_notice: true, text: words, ..Message::default() });
    }

    pub(super) fn standing(&self, user: usize) -> Standing {
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
