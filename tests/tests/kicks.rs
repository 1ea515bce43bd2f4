//! Somebody is put out of a group in which others go on writing: once that is answered, nothing that is written reaches them, on
//! whatever edge they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use broker_schemas::group::{Admission, Change, JoinedEvent, Kick};
use broker_schemas::message::{self, Entry, GetUnread, Recipient, Sync};
use broker_schemas::{Code, Conversation, GroupId, Map};
use natter_tests::{Backend, Device, Platform, on_both_databases};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// At the same time, each with its own kicks, one after the other.
const GROUPS: usize = 20;
/// How many messages each sender sends between two kicks: some before the kick, some while it is under way.
const SENDS: usize = 3;

/// Another number of tries than the usual one, rounded to whole groups: `NATTER_KICKS=1000`.
fn victims(usual: usize) -> usize {
    let tries = std::env::var("NATTER_KICKS").map_or(usual, |tries| tries.parse().unwrap());
    tries.div_ceil(GROUPS)
}

on_both_databases! {
    async fn what_is_sent_after_a_kick_was_acked_never_reaches_the_one_who_is_out(backend: Backend) {
        let copies = backend != Backend::Sqlite;
        let victims = victims(if copies { 400 } else { 1_000 });
        let settings = ["group.max_groups=1000"];
        let mut platform = Platform::distributed_with(backend, &settings).await;
        platform.start("edge2").await;
        if copies {
            platform.start("message2").await;
            platform.start("group2").await;
        }
        let (first, second) = (platform.address("tcp").await, platform.address_of("edge2", "tcp").await);
        let owner = Arc::new(Device::register(&first, "owner").await);
        let mut senders = Vec::new();
        for place in [&first, &second] {
            senders.push(Arc::new(Device::register(place, &format!("sender{}", senders.len())).await));
        }
        let mut out = Vec::new();
        for number in 0..victims {
            out.push(Arc::new(Device::register(&second, &format!("victim{number}")).await));
        }
        let friends: Vec<&Device> = senders.iter().chain(&out).map(|device| &**device).collect();
        for friend in &friends {
            owner.befriend(friend).await;
        }
        let mut groups = Vec::new();
        for number in 0..GROUPS {
            groups.push(owner.create(&format!("group {number}"), &friends, Admission::Invitation).await);
        }
        // From here on every edge delivers to everybody.
        for device in &friends {
            for _ in &groups {
                device.event::<JoinedEvent>().await;
            }
        }

        let mut runs = JoinSet::new();
        for (number, group) in groups.iter().enumerate() {
            // Another order in each group.
            let out: Vec<_> = (0..victims).map(|index| Arc::clone(&out[(index + number) % victims])).collect();
            runs.spawn(kick_all(*group, Arc::clone(&owner), senders.clone(), out));
        }
        let kicked: Vec<Kicked> = runs.join_all().await.into_iter().flatten().collect();
        assert_eq!(kicked.len(), victims * GROUPS);

        // What was on its way to the edge when this was sent has come before it.
        for victim in &out {
            let marker = owner.send(Recipient::User(victim.user), "the end").await.unwrap();
            let is_marker = |entry: &Entry| (entry.conversation, entry.seq) == (marker.conversation, marker.seq);
            victim.pushed(|event| event.read::<message::NewEvent>().filter(|event| is_marker(&event.0))).await;
        }
        sleep(Duration::from_millis(200)).await;
        let seen: Vec<(Arc<Device>, Vec<Entry>)> =
            out.iter().map(|victim| (Arc::clone(victim), victim.messages())).collect();
        let mut reached = 0;
        for kick in &kicked {
            let there = Conversation::group(kick.group);
            let (victim, messages) = seen.iter().find(|(device, _)| device.user == kick.victim.user).unwrap();
            let mut was_told = false;
            for entry in messages.iter().filter(|entry| entry.conversation == there) {
                if entry.notice.is_none() {
                    let kicks_before: usize = entry.text.parse().unwrap();
                    assert!(
                        kicks_before <= kick.number,
                        "user {} was kicked from {there} as number {}, and then got {entry:?}",
                        victim.user,
                        kick.number,
                    );
                    was_told = true;
                }
                assert!(entry.seq.get() <= kick.seq, "out at {}, and got {entry:?}", kick.seq);
            }
            reached += usize::from(was_told);
        }
        assert!(reached * 10 >= kicked.len() * 9, "only {reached} received anything while they were members");
        for victim in &out {
            let have: std::collections::BTreeMap<_, _> =
                groups.iter().map(|group| (Conversation::group(*group), 0)).collect();
            let sync = Sync { have: Map::new(have.clone()).unwrap(), revisions: Some(Map::new(have).unwrap()) };
            let missed = victim.call(&sync).await.unwrap();
            assert!(missed.messages.iter().all(|entry| entry.conversation.group_id().is_none()), "{missed:?}");
            let unread = victim.call(&GetUnread {}).await.unwrap();
            assert!(unread.conversations.iter().all(|standing| standing.conversation.group_id().is_none()));
        }
        eprintln!("{} kicks, none leaked; {reached} had received before", kicked.len());
    }
}

/// A kick that was acked.
struct Kicked {
    group: GroupId,
    victim: Arc<Device>,
    /// How many were kicked from the group before.
    number: usize,
    /// Where the kick stands in the conversation.
    seq: u64,
}

/// Kicks all of `out`, one after the other, while the senders send.
async fn kick_all(
    group: GroupId,
    owner: Arc<Device>,
    senders: Vec<Arc<Device>>,
    out: Vec<Arc<Device>>,
) -> Vec<Kicked> {
    let talk = Arc::new(Talk::default());
    let (mut sending, mut looks) = (JoinSet::new(), JoinSet::new());
    for sender in senders {
        sending.spawn(send(sender, group, Arc::clone(&talk)));
    }
    for victim in &out {
        talk.goes_on().await;
        let kick = Kick { group, user: victim.user, block: None };
        owner.call(&kick).await.unwrap();
        talk.kicked.fetch_add(1, Ordering::SeqCst);
        // At once, through the other edge; the next kick doesn't wait for it.
        let victim = Arc::clone(victim);
        looks.spawn(async move {
            let history = victim.whole(Conversation::group(group)).await;
            assert_eq!(history.unwrap_err().code, Code::NotFound);
            let sent = victim.send(Recipient::Group(group), "still here").await;
            assert_eq!(sent.unwrap_err().code, Code::NotFound);
        });
    }
    talk.goes_on().await;
    talk.stop.store(true, Ordering::SeqCst);
    sending.join_all().await;
    looks.join_all().await;
    let places = owner.whole(Conversation::group(group)).await.unwrap();
    let place = |device: &Device| {
        let change = Some(Change::Kicked { user: device.user });
        places
            .iter()
            .find(|entry| entry.notice == change)
            .expect("the kick stands in the conversation")
            .seq
            .get()
    };
    out.into_iter()
        .enumerate()
        .map(|(number, victim)| Kicked { group, seq: place(&victim), victim, number })
        .collect()
}

/// What the kicker and the senders of a group share.
#[derive(Default)]
struct Talk {
    /// How many kicks were acked.
    kicked: AtomicUsize,
    /// One more than the most kicks that were acked before a message that was acked was sent.
    reached: AtomicUsize,
    stop: AtomicBool,
}

impl Talk {
    /// Waits until something was sent after the last kick; more of it is under way then.
    async fn goes_on(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.reached.load(Ordering::SeqCst) <= self.kicked.load(Ordering::SeqCst) {
            assert!(Instant::now() < deadline, "nothing is sent any more");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Sends how many kicks were acked when it sends, a few times after each.
async fn send(sender: Arc<Device>, group: GroupId, talk: Arc<Talk>) {
    let (mut kicks, mut sends) = (0, 0);
    while !talk.stop.load(Ordering::SeqCst) {
        let now = talk.kicked.load(Ordering::SeqCst);
        if now != kicks {
            (kicks, sends) = (now, 0);
        }
        if sends == SENDS {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        sends += 1;
        sender.send(Recipient::Group(group), &now.to_string()).await.unwrap();
        talk.reached.fetch_max(now + 1, Ordering::SeqCst);
    }
}
