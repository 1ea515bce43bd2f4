//! What the group module has recorded and the message module doesn't know yet: nobody is told that it was done, and it is
//! done in the end, in its order.

use std::time::Duration;

use broker_schemas::group::{Admission, Change, Create, GetProfile, Invite, Kick, ListGroups, Rename};
use broker_schemas::message::{Entry, Recipient};
use broker_schemas::{Code, Conversation, List, UserId, friend, group};
use natter_tests::device::Device;
use natter_tests::{Platform, on_both_databases};
use tokio::time::{Instant, sleep};

/// How long what waits may take to be told once the message module is back: the outbox's longest pause, and some.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

fn rename(group: broker_schemas::GroupId, name: &str) -> Rename {
    Rename { group, name: name.try_into().unwrap() }
}

fn notices(conversation: &[Entry]) -> Vec<(UserId, Change)> {
    conversation.iter().filter_map(|entry| Some((entry.from, entry.notice.clone()?))).collect()
}

/// Waits until the conversation of `group` has so many messages, as `device` sees it.
async fn whole_once_it_has(device: &Device, group: broker_schemas::GroupId, length: usize) -> Vec<Entry> {
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        match device.whole(Conversation::group(group)).await {
            Ok(whole) if whole.len() >= length => return whole,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

on_both_databases! {
    async fn what_could_not_be_told_is_answered_as_unknown_and_told_in_order_once_it_can(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.address("tcp").await;
        let alice = Device::register(&address, "alice").await;
        let bob = Device::register(&address, "bob").await;
        let carol = Device::register(&address, "carol").await;
        for friend in [&bob, &carol] {
            alice.befriend(friend).await;
        }
        let group = alice.create("Bees", &[&bob], Admission::Invitation).await;
        alice.send(Recipient::Group(group), "hello").await.unwrap();
        whole_once_it_has(&bob, group, 2).await;

        platform.stop("message").await;
        let kick = Kick { group, user: bob.user, block: None };
        for attempt in ["the first one", "a repeated one"] {
            let refusal = alice.call(&kick).await.unwrap_err();
            assert_eq!(refusal.code, Code::Timeout, "{attempt}: {refusal:?}");
            assert!(refusal.message.contains("recorded"), "{attempt}: {refusal:?}");
        }
        let invite = Invite { group, user: carol.user };
        assert_eq!(alice.call(&invite).await.unwrap_err().code, Code::Timeout);
        assert_eq!(alice.call(&rename(group, "Wasps")).await.unwrap_err().code, Code::Timeout);
        // What is asked of the group module alone is as it was recorded.
        assert_eq!(alice.call(&GetProfile { group }).await.unwrap().name, "Wasps");
        let groups = alice.call(&ListGroups { unread: None }).await.unwrap().groups;
        assert_eq!((groups[0].members, groups[0].unread), (2, None));
        let name = "Made meanwhile".try_into().unwrap();
        let members = Some(List::new(vec![carol.user]).unwrap());
        let create = Create { name, members, admission: None, visible: None };
        let made = alice.call(&create).await.expect("a group is made once and for all").group;

        // Whatever was recorded outlives the module that recorded it.
        platform.kill("group").await;
        platform.start("group").await;
        platform.start("message").await;
        let whole = whole_once_it_has(&alice, group, 5).await;
        let expected = [
            Change::Kicked { user: bob.user },
            Change::Joined { user: carol.user },
            Change::Renamed { name: "Wasps".try_into().unwrap() },
        ];
        let told: Vec<_> = notices(&whole).into_iter().skip(1).collect();
        assert_eq!(told, expected.map(|change| (alice.user, change)));
        whole_once_it_has(&carol, made, 1).await;
        let refusal = bob.whole(Conversation::group(group)).await.unwrap_err();
        assert_eq!(refusal.code, Code::NotFound, "{refusal:?}");
        assert_eq!(bob.event::<group::KickedEvent>().await.group, group);
        for _ in 0..2 {
            assert!([group, made].contains(&carol.event::<group::JoinedEvent>().await.group));
        }

        // Now repeating tells the truth, and does nothing again.
        alice.call(&kick).await.unwrap();
        alice.call(&invite).await.unwrap();
        alice.call(&rename(group, "Wasps")).await.unwrap();
        assert_eq!(alice.whole(Conversation::group(group)).await.unwrap().len(), whole.len());
    }
}

on_both_databases! {
    async fn several_copies_of_the_module_tell_every_change_in_order(backend: Backend) {
        const CHANGES: usize = 60;
        let mut platform = Platform::distributed(backend).await;
        platform.start("group2").await;
        let address = platform.address("tcp").await;
        let alice = Device::register(&address, "alice").await;
        let group = alice.create("0", &[], Admission::Invitation).await;
        let names: Vec<_> = (1..=CHANGES).map(|number| number.to_string()).collect();
        let renames = names.iter().map(|name| async {
            let deadline = Instant::now() + TOLD_WITHIN;
            while let Err(refusal) = alice.call(&rename(group, name)).await {
                assert!(Instant::now() < deadline, "{refusal:?}");
            }
        });
        futures_util::future::join_all(renames).await;
        let whole = alice.whole(Conversation::group(group)).await.unwrap();
        let mut told: Vec<_> = notices(&whole)
            .into_iter()
            .filter_map(|(_, change)| match change {
                Change::Renamed { name } => Some(name.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(told.last(), Some(&alice.call(&GetProfile { group }).await.unwrap().name), "in order");
        told.sort_by_key(|name| name.parse::<usize>().unwrap());
        // On a slow machine a call may be repeated by the edge, and then renames once more.
        told.dedup();
        assert_eq!(told, names, "none is left out");
        // Each copy told its own changes, and none told another's.
        let last = whole.last().unwrap().seq;
        let deadline = Instant::now() + TOLD_WITHIN;
        while alice.messages().last().is_none_or(|entry| entry.seq < last) {
            assert!(Instant::now() < deadline, "the last change is pushed");
            sleep(Duration::from_millis(20)).await;
        }
        // The first one made the group, before the edge knew that alice is in it.
        let mut pushed: Vec<_> = alice.messages().iter().map(|entry| entry.seq).collect();
        pushed.retain(|seq| *seq > whole[0].seq);
        assert_eq!(pushed, whole.iter().skip(1).map(|entry| entry.seq).collect::<Vec<_>>(), "in order, once");
    }
}

on_both_databases! {
    async fn without_the_friend_module_nobody_is_put_into_a_group_and_the_rest_goes_on(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.address("tcp").await;
        let alice = Device::register(&address, "alice").await;
        let bob = Device::register(&address, "bob").await;
        let carol = Device::register(&address, "carol").await;
        alice.befriend(&bob).await;
        let group = alice.create("Bees", &[&bob], Admission::Open).await;
        let refusal = alice.call(&Invite { group, user: carol.user }).await.unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        assert!(refusal.message.contains(&format!("user {} is not your friend", carol.user)), "{refusal:?}");

        platform.stop("friend").await;
        let invite = |user| Invite { group, user };
        assert_eq!(alice.call(&invite(carol.user)).await.unwrap_err().code, Code::Unavailable);
        let name = "Wasps".try_into().unwrap();
        let members = Some(List::new(vec![bob.user]).unwrap());
        let create = Create { name, members, admission: None, visible: None };
        assert_eq!(alice.call(&create).await.unwrap_err().code, Code::Unavailable);
        alice.call(&invite(bob.user)).await.expect("who is in already needs no friend");
        carol.call(&group::Join { group }).await.unwrap();
        alice.call(&Kick { group, user: carol.user, block: Some(true) }).await.unwrap();
        platform.start("friend").await;
        alice.call(&friend::ListFriends {}).await.unwrap();
    }
}
