//! Everything that a user can see at the end of a plan, line by line: by the model, and by the system.

use std::collections::BTreeMap;

use broker_schemas::group::{Change, GetProfile, GroupEntry, ListGroups, ListMembers, ListRequests};
use broker_schemas::message::{Entry, GetUnread, ListConversations, ListReaders, Standing};
use broker_schemas::rights::Role;
use broker_schemas::{Code, Conversation, GroupId, UserId, friend};

use super::action::{Names, Place};
use super::model::{Message, Model, Talk};
use crate::Device;

/// What is seen, by where it is seen.
pub(super) type View = BTreeMap<String, String>;

/// Every place that `user` might look at.
pub(super) fn places(user: usize, users: usize, groups: usize) -> impl Iterator<Item = Place> {
    let people = (0..users).filter(move |other| *other != user).map(Place::With);
    people.chain((0..groups).map(Place::In))
}

/// What the model says that `user` sees.
pub(super) fn expected(model: &Model, user: usize, users: usize) -> View {
    let mut view = View::new();
    let friends: Vec<_> =
        (0..users).filter(|other| *other != user && model.are_friends(user, *other)).collect();
    view.insert("friends".into(), format!("{friends:?}"));
    for place in places(user, users, model.groups.len()) {
        let (talk, shows_others) = match place {
            Place::With(other) => {
                let talk = model.directs.get(&(user.min(other), user.max(other)));
                (talk, model.are_friends(user, other))
            }
            Place::In(group) => (Some(&model.groups[group].talk), true),
        };
        show_talk(&mut view, place, talk.filter(|talk| !talk.messages.is_empty()), user, shows_others);
    }
    for (number, group) in model.groups.iter().enumerate() {
        let Some((role, _)) = group.members.get(&user).filter(|_| !group.dissolved) else { continue };
        let at = Place::In(number);
        let members: Vec<_> = group
            .members
            .iter()
            .map(|(member, (role, muted))| {
                let muted = *role == Role::Member && (*muted || group.muted);
                format!("{member} {role:?}{}", if muted { " muted" } else { "" })
            })
            .collect();
        let unread = group.talk.messages.len() as u64 - group.talk.readers[&user].1;
        view.insert(format!("{at}: listed"), format!("{} {role:?} {} {unread}", group.name, members.len()));
        view.insert(format!("{at}: members"), members.join(", "));
        let profile = (group.admission, group.visible, group.announcement, group.muted);
        view.insert(format!("{at}: profile"), format!("{profile:?}"));
        if *role > Role::Member {
            view.insert(format!("{at}: outside"), format!("{:?} {:?}", group.asking, group.blocked));
        }
    }
    view
}

/// Whoever is no friend any more learns nothing of what the other reads.
fn show_talk(view: &mut View, place: Place, talk: Option<&Talk>, user: usize, shows_others: bool) {
    let Some((talk, (first, read))) = talk.and_then(|talk| Some((talk, talk.readers.get(&user)?))) else {
        return;
    };
    let last = talk.messages.len() as u64;
    view.insert(format!("{place}: standing"), format!("{first} {last} {read} {}", talk.revision));
    let readers = talk.readers.iter().filter(|(reader, _)| shows_others || **reader == user);
    let readers: BTreeMap<_, _> = readers.map(|(reader, (_, read))| (reader, read)).collect();
    view.insert(format!("{place}: readers"), format!("{readers:?}"));
    for (seq, message) in (1..).zip(&talk.messages).filter(|(seq, _)| seq >= first) {
        view.insert(format!("{place} #{seq:02}"), words(message, user));
    }
}

fn words(message: &Message, user: usize) -> String {
    let reactions = message.reactions.iter();
    let reactions = reactions.map(|(reaction, users)| (*reaction, users.len(), users.contains(&user)));
    let Message { from, is_notice, text, quote, edited, recalled_by, revision, .. } = message;
    let what = if *is_notice { "notice" } else { "text" };
    line(*from, what, text, (*quote, *edited, *recalled_by, *revision), reactions)
}

type State = (Option<u64>, bool, Option<usize>, u64);

fn line<'a>(
    from: usize,
    what: &str,
    text: &str,
    (quote, edited, recalled_by, revision): State,
    reactions: impl Iterator<Item = (&'a str, usize, bool)>,
) -> String {
    let reactions: Vec<_> = reactions.collect();
    let recalled = recalled_by.map(|user| format!(" recalled by {user}")).unwrap_or_default();
    let edited = if edited { " edited" } else { "" };
    format!("{from} {what} {text:?} quote {quote:?}{edited}{recalled} {reactions:?} at {revision}")
}

/// What the system shows to `user`, on `device`.
pub(super) async fn seen(device: &Device, names: &Names, user: usize) -> View {
    let mut view = View::new();
    let friends = device.call(&friend::ListFriends {}).await.unwrap().friends;
    let mut friends: Vec<_> = friends.iter().map(|friend| names.user(friend.user)).collect();
    friends.sort_unstable();
    view.insert("friends".into(), format!("{friends:?}"));

    let standings = device.call(&GetUnread {}).await.unwrap().conversations;
    let mut standings: BTreeMap<Conversation, Standing> =
        standings.into_iter().map(|standing| (standing.conversation, standing)).collect();
    standings.retain(|_, standing| standing.last_seq > 0);
    let list = device.call(&ListConversations { after: None, limit: Some(200) }).await.unwrap().conversations;
    let listed: BTreeMap<Conversation, Standing> =
        list.iter().map(|overview| (overview.standing.conversation, overview.standing)).collect();
    for place in places(user, names.users.len(), names.groups.len()) {
        let conversation: Conversation = names.conversation(user, place).parse().unwrap();
        let history = match device.whole(conversation).await {
            Ok(history) => history,
            Err(refusal) => {
                assert_eq!(refusal.code, Code::NotFound, "{refusal:?}");
                continue;
            }
        };
        if history.is_empty() && !standings.contains_key(&conversation) {
            continue;
        }
        let standing = standings.remove(&conversation);
        if listed.get(&conversation) != standing.as_ref() {
            view.insert(format!("{place}: listed otherwise"), format!("{:?}", listed.get(&conversation)));
        }
        let standing =
            standing.map(|s| format!("{} {} {} {}", s.first_seq, s.last_seq, s.read_seq, s.revision));
        view.insert(format!("{place}: standing"), standing.unwrap_or_else(|| "none".into()));
        let readers = device.call(&ListReaders { conversation, seq: None }).await.unwrap().readers;
        let readers: BTreeMap<_, _> =
            readers.iter().map(|reader| (names.user(reader.user), reader.seq)).collect();
        view.insert(format!("{place}: readers"), format!("{readers:?}"));
        for entry in history {
            view.insert(format!("{place} #{:02}", entry.seq.get()), names.words(&entry));
        }
    }
    for conversation in standings.keys() {
        view.insert(format!("{conversation}: standing"), "in no place of the plan".into());
    }
    for entry in device.call(&ListGroups { unread: Some(true) }).await.unwrap().groups {
        show_group(&mut view, device, names, &entry).await;
    }
    view
}

async fn show_group(view: &mut View, device: &Device, names: &Names, entry: &GroupEntry) {
    let group = entry.group;
    let at = Place::In(names.groups.iter().position(|id| *id == group.get()).unwrap());
    let unread = entry.unread.map_or_else(|| "not known".into(), |unread| unread.to_string());
    let listed = format!("{} {:?} {} {unread}", entry.name, entry.role, entry.members);
    view.insert(format!("{at}: listed"), listed);
    let members = device.call(&ListMembers { group, after: None, limit: Some(200) }).await.unwrap().members;
    let mut members: Vec<_> = members
        .iter()
        .map(|member| {
            let muted = if member.muted_until.is_some() { " muted" } else { "" };
            (names.user(member.user), format!("{:?}{muted}", member.role))
        })
        .collect();
    members.sort();
    let members: Vec<_> = members.into_iter().map(|(member, is)| format!("{member} {is}")).collect();
    view.insert(format!("{at}: members"), members.join(", "));
    let profile = device.call(&GetProfile { group }).await.unwrap();
    let announcement = profile.announcement.map(|announcement| announcement.text).unwrap_or_default();
    let shown = (profile.admission, profile.visible, announcement.as_str(), profile.muted_until.is_some());
    view.insert(format!("{at}: profile"), format!("{shown:?}"));
    if entry.role > Role::Member {
        let requests = device.call(&ListRequests { group }).await.unwrap();
        let users = |entries: Vec<friend::RequestEntry>| {
            entries.iter().map(|entry| names.user(entry.user)).collect::<std::collections::BTreeSet<_>>()
        };
        let outside = format!("{:?} {:?}", users(requests.asking), users(requests.blocked));
        view.insert(format!("{at}: outside"), outside);
    }
}

impl Names {
    /// The number of a user in the plan.
    fn user(&self, user: UserId) -> usize {
        self.users.iter().position(|id| *id == user.get()).expect("a user of the plan")
    }

    /// The place of a conversation in the plan, as `user` has it.
    pub(super) fn place(&self, user: usize, conversation: Conversation) -> Option<Place> {
        let group = conversation.group_id().map(GroupId::get);
        match group {
            Some(group) => self.groups.iter().position(|id| *id == group).map(Place::In),
            None => {
                let me = UserId::new(self.users[user]).unwrap();
                conversation.peer_of(me).map(|peer| Place::With(self.user(peer)))
            }
        }
    }

    fn words(&self, entry: &Entry) -> String {
        let (what, text) = match &entry.notice {
            Some(change) => ("notice", self.change(change)),
            None => ("text", entry.text.clone()),
        };
        let quote = entry.quote.map(broker_schemas::Seq::get);
        let recalled_by = entry.recalled_by.map(|user| self.user(user));
        let state = (quote, entry.edited_at.is_some(), recalled_by, entry.revision);
        let reactions = entry.reactions.iter();
        let reactions = reactions.map(|it| (it.reaction.as_str(), it.count as usize, it.mine));
        line(self.user(entry.from), what, &text, state, reactions)
    }

    /// A change, in the model's words.
    fn change(&self, change: &Change) -> String {
        let user = |user: &UserId| self.user(*user);
        match change {
            Change::Created { name, members } => {
                let members: Vec<_> = members.iter().map(user).collect();
                format!("created {name} with {members:?}")
            }
            Change::Joined { user: who } => format!("joined {}", user(who)),
            Change::Left { user: who } => format!("left {}", user(who)),
            Change::Kicked { user: who } => format!("kicked {}", user(who)),
            Change::Dissolved {} => "dissolved".into(),
            Change::Transferred { user: who } => format!("transferred {}", user(who)),
            Change::RoleSet { user: who, role } => format!("role_set {} {role:?}", user(who)),
            Change::Muted { user: Some(who), until } => format!("muted {} {}", user(who), until.is_some()),
            Change::Muted { user: None, until } => format!("muted all {}", until.is_some()),
            Change::Announced { text } => format!("announced {text}"),
            Change::Renamed { name } => format!("renamed {name}"),
            Change::Configured { admission, visible } => format!("configured {admission:?} {visible:?}"),
        }
    }
}
