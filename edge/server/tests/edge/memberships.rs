//! Stands in for the message module: knows who is in which group, as the test says, and answers edges.

// The macro makes the service public, so its types have to be.
#![allow(unreachable_pub, missing_docs)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use broker_schemas::caller::Part;
use broker_schemas::delivery::EventSpec;
use broker_schemas::message::{GroupsOf, Membership, Present};
use broker_schemas::{GroupId, List, UserId, service};
use natter_host::{Call, Handle, Result};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

pub(crate) const EVENTS: &[EventSpec] = &[];
pub(crate) const FACTS: &[EventSpec] = &[];

service! {
    /// Takes the place of the message module.
    Message = "message" version 1, calls: [], hears: [], delivers: [Users, Groups];

    /// As the message module's.
    "groups_of": GetGroupsOf => GroupsOf { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// As the message module's.
    "present": GetPresent => Present { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct GetGroupsOf {
    user: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct GetPresent {
    group: GroupId,
    users: List<UserId, 10_000>,
}

/// What the service knows, and how it is to behave.
#[derive(Default)]
pub(crate) struct Memberships {
    groups: Mutex<BTreeMap<u64, Group>>,
    hangs: AtomicBool,
    outdated: AtomicUsize,
    asked_groups: AtomicUsize,
    asked_present: AtomicUsize,
}

/// A group, and the version that made each member one.
#[derive(Default)]
struct Group {
    version: u64,
    members: BTreeMap<u64, u64>,
}

impl Memberships {
    /// Makes a change to a group. Returns its version.
    pub(crate) fn change(&self, group: u64, joined: &[u64], left: &[u64]) -> u64 {
        let mut groups = self.lock();
        let group = groups.entry(group).or_default();
        group.version += 1;
        for user in joined {
            group.members.insert(*user, group.version);
        }
        for user in left {
            group.members.remove(user);
        }
        group.version
    }

    /// How often it was asked who is in a group.
    pub(crate) fn asked_present(&self) -> usize {
        self.asked_present.load(Ordering::SeqCst)
    }

    /// How often it was asked which groups a user is in.
    pub(crate) fn asked_groups(&self) -> usize {
        self.asked_groups.load(Ordering::SeqCst)
    }

    /// Whether questions wait for an answer.
    pub(crate) fn set_hangs(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// Has the next `answers` to the question who is in a group be as of the version before.
    pub(crate) fn set_outdated(&self, answers: usize) {
        self.outdated.store(answers, Ordering::SeqCst);
    }

    async fn hang(&self) {
        while self.hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Group>> {
        self.groups.lock().unwrap()
    }
}

impl Handle<GetGroupsOf> for Memberships {
    async fn handle(&self, _: &Call<Part>, request: GetGroupsOf) -> Result<GroupsOf> {
        self.asked_groups.fetch_add(1, Ordering::SeqCst);
        self.hang().await;
        let membership = |(id, group): (&u64, &Group)| {
            let since = *group.members.get(&request.user.get())?;
            Some(Membership { group: GroupId::new(*id).unwrap(), version: group.version, since })
        };
        Ok(GroupsOf { groups: self.lock().iter().filter_map(membership).collect() })
    }
}

impl Handle<GetPresent> for Memberships {
    async fn handle(&self, _: &Call<Part>, request: GetPresent) -> Result<Present> {
        self.asked_present.fetch_add(1, Ordering::SeqCst);
        self.hang().await;
        let groups = self.lock();
        let group = &groups[&request.group.get()];
        let since = |user: &UserId| Some((*user, *group.members.get(&user.get())?));
        let less = |left: usize| left.checked_sub(1);
        let is_outdated = self.outdated.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        let version = group.version - u64::from(is_outdated);
        Ok(Present { version, members: request.users.iter().filter_map(since).collect() })
    }
}
