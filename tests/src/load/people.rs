//! Who there is, who is whose friend, and who is in which group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use broker_schemas::group::{self, Admission, Change, Visible};
use broker_schemas::{Conversation, GroupId, List, Text, UserId};
use natter_client::{Chat, ChatOptions};
use tokio::task::JoinSet;

use super::{Client, GROUP, Load, SYNC_EVERY, watch};
use crate::history::{Event, Operation, Recorder, Step};
use crate::{Person, befriend};

/// Everybody.
#[derive(Debug)]
pub(super) struct People {
    pub(super) clients: Vec<Client>,
    pub(super) groups: Vec<Arc<Group>>,
}

/// A group. The first member owns it, and stays.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) number: usize,
    pub(super) id: GroupId,
    pub(super) conversation: Conversation,
    /// Whether who joins sees everything.
    pub(super) is_whole: bool,
    pub(super) members: Vec<Member>,
}

/// Somebody who is in a group now and then.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) chat: Chat,
    pub(super) user: UserId,
    pub(super) device: u32,
    inside: AtomicBool,
}

impl Member {
    /// Whether the member is in the group, as far as those know who move it.
    pub(super) fn is_inside(&self) -> bool {
        self.inside.load(Ordering::Relaxed)
    }

    pub(super) fn set_inside(&self, inside: bool) {
        self.inside.store(inside, Ordering::Relaxed);
    }
}

impl Client {
    /// All conversations that the client ever was in.
    pub(super) fn conversations(&self) -> Vec<Conversation> {
        let pair = self.peer.iter().map(|(_, conversation)| *conversation);
        pair.chain(self.groups.iter().map(|(group, _)| group.conversation)).collect()
    }
}

/// Which people are in the group of this number, the owner first: each is in two groups.
fn members(number: usize, clients: usize) -> Vec<usize> {
    (0..GROUP.min(clients)).map(|place| (number * 4 + place) % clients).collect()
}

/// Makes accounts, friendships and groups, and lets every device log what it shows.
pub(super) async fn gather(load: &Load, recorder: &Recorder, watchers: &mut JoinSet<()>) -> People {
    let (pairs, groups) = (load.clients / 4, load.clients / 4);
    let mut people = Vec::new();
    for number in 0..load.clients {
        let address = &load.addresses[number % load.addresses.len()];
        let options = ChatOptions { sync_every: SYNC_EVERY, ..ChatOptions::default() };
        people.push(Person::register_with(address, &format!("{}{number}", load.names), options).await);
    }
    let mut friends: Vec<(usize, usize)> = (0..pairs).map(|pair| (pair * 2, pair * 2 + 1)).collect();
    for number in 0..groups {
        let members = members(number, load.clients);
        friends.extend(members[1..].iter().map(|member| (members[0].min(*member), members[0].max(*member))));
    }
    friends.sort_unstable();
    friends.dedup();
    for (a, b) in friends {
        let [a, b] = people.get_disjoint_mut([a, b]).unwrap();
        befriend(a, b).await;
    }
    let users: Vec<UserId> = people.iter().map(|person| person.user).collect();
    let mut clients = Vec::new();
    for (index, person) in people.into_iter().enumerate() {
        let peer = (index < pairs * 2).then(|| {
            let peer = users[index ^ 1];
            (peer, Conversation::direct(person.user, peer).unwrap())
        });
        let device = u32::try_from(index).unwrap();
        let client = Client {
            chat: person.chat,
            user: person.user,
            device,
            peer,
            groups: Vec::new(),
            shown: Arc::default(),
        };
        recorder.event(client.event(Operation::Resume, Step::Ok));
        if let Some((_, conversation)) = peer {
            for step in [Step::Invoke, Step::Ok] {
                let join = client.event(Operation::Join, step).within(conversation);
                recorder.event(Event { seq: Some(1), ..join });
            }
        }
        watchers.spawn(watch::watch(client.clone(), person.updates, recorder.clone()));
        clients.push(client);
    }
    let mut all = Vec::new();
    for number in 0..groups {
        let members: Vec<Client> =
            members(number, load.clients).into_iter().map(|index| clients[index].clone()).collect();
        let group = Arc::new(create(number, &members, recorder).await);
        for (place, member) in members.iter().enumerate() {
            clients[member.device as usize].groups.push((Arc::clone(&group), place));
        }
        all.push(group);
    }
    People { clients, groups: all }
}

/// Makes a group. Every second one shows those who join everything.
async fn create(number: usize, members: &[Client], recorder: &Recorder) -> Group {
    let is_whole = number % 2 == 1;
    let friends: Vec<UserId> = members[1..].iter().map(|member| member.user).collect();
    let request = group::Create {
        name: Text::new(format!("load group {number}")).unwrap(),
        members: Some(List::new(friends).unwrap()),
        admission: Some(Admission::Open),
        visible: Some(if is_whole { Visible::Everything } else { Visible::FromJoining }),
    };
    // Its conversation has no name until it is made.
    let begun = recorder.now();
    let id = members[0].chat.call(&request).await.unwrap().group;
    let conversation = Conversation::group(id);
    for step in [Step::Invoke, Step::Ok] {
        let at = if step == Step::Invoke { begun } else { recorder.now() };
        let create = members[0].event(Operation::Change, step).within(conversation);
        recorder.event_at(Event { at, notice: Some("created".into()), ..create });
        for member in members {
            let join = member.event(Operation::Join, step).within(conversation);
            recorder.event_at(Event { at, seq: Some(1), ..join });
        }
    }
    let members = members.iter().map(|member| Member {
        chat: member.chat.clone(),
        user: member.user,
        device: member.device,
        inside: AtomicBool::new(true),
    });
    Group { number, id, conversation, is_whole, members: members.collect() }
}

/// What happened to a group, as histories say it.
pub(super) fn words(change: &Change) -> String {
    match change {
        Change::Created { .. } => "created".into(),
        Change::Joined { user } => format!("joined {user}"),
        Change::Left { user } => format!("left {user}"),
        Change::Kicked { user } => format!("kicked {user}"),
        other => format!("{other:?}"),
    }
}
