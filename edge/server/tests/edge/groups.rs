//! Deliveries to groups: who gets them, and who doesn't, however they and the answers about members arrive.

use std::sync::atomic::Ordering;
use std::time::Duration;

use natter_protocol::Encoding;
use tokio::time::{Instant, sleep};

use crate::client::{Client, Said, event};
use crate::demo::Logout;
use crate::world::{World, eventually};

const GROUP: u64 = 9;
/// Nobody joined or left.
const NOBODY: [&[u64]; 2] = [&[], &[]];

/// A world in which the group has members, who are signed in. The session of each is called as the user.
async fn with_members(users: &[u64]) -> (World, Vec<Client>) {
    let world = World::with(|settings| settings.max_connections_per_address = 0).await;
    world.memberships.change(GROUP, users, &[]);
    let mut clients = Vec::new();
    for user in users {
        clients.push(signed_in(&world, *user).await);
    }
    (world, clients)
}

async fn signed_in(world: &World, user: u64) -> Client {
    let mut client = Client::tcp(world.tcp, Encoding::Json).await;
    client.login(user, user).await;
    client
}

fn news(text: &str) -> Said {
    event(Encoding::Json, "news", &text)
}

fn resync() -> Said {
    Said::Event("session.resync".into(), b"{}".to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_one_subscription_whatever_the_number_of_its_members() {
    let users: Vec<u64> = (1..=20).collect();
    let (world, mut clients) = with_members(&users).await;
    // A second device.
    let mut second = Client::websocket(world.http, Encoding::Binary).await;
    second.login(1, 100).await;
    let mut stranger = signed_in(&world, 99).await;
    assert_eq!(world.subscriptions(Some(GROUP)).await, 1);
    for text in ["one", "two"] {
        world.push_to_members(GROUP, 1, NOBODY, &text).await;
    }
    for client in &mut clients {
        for text in ["one", "two"] {
            assert_eq!(client.next().await, news(text));
        }
        assert!(client.hears_nothing().await);
    }
    assert_eq!(second.next().await, event(Encoding::Binary, "news", &"one"));
    assert!(stranger.hears_nothing().await);
    assert_eq!(world.memberships.asked_present(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_last_member_leaves_the_subscription_ends() {
    let (world, mut clients) = with_members(&[1, 2]).await;
    world.memberships.change(5, &[2], &[]);
    let mut second_device = Client::tcp(world.tcp, Encoding::Json).await;
    second_device.login(2, 20).await;
    assert_eq!(world.subscriptions(None).await, 1, "no reason to ask for groups again");
    // Signed out, gone, put out: in each way the last one can leave.
    clients[0].call(2, "user.logout", &Logout {}).await;
    drop(clients.pop());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.subscriptions(Some(GROUP)).await, 1, "a session of user 2 is left");
    drop(second_device);
    world.until_subscriptions(0).await;

    let mut third = signed_in(&world, 2).await;
    world.until_subscriptions(2).await;
    let version = world.memberships.change(GROUP, &[], &[2]);
    world.push_to_members(GROUP, version, [&[], &[2]], &"out").await;
    world.until_subscriptions(1).await;
    assert!(third.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_published_to_a_group_after_the_sign_in_reply_is_missed() {
    let (world, _first) = with_members(&(1..=50).collect::<Vec<_>>()[..]).await;
    for user in 101..=150 {
        // One group that is subscribed already, and one that is not.
        let version = world.memberships.change(GROUP, &[user], &[]);
        world.memberships.change(user, &[user], &[]);
        let mut client = signed_in(&world, user).await;
        world.push_to_members(user, 1, NOBODY, &"own").await;
        world.push_to_members(GROUP, version, NOBODY, &"shared").await;
        // Groups are handed out apart from each other.
        let heard = [client.next().await, client.next().await];
        assert!(heard.contains(&news("own")) && heard.contains(&news("shared")), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_gets_nothing_that_follows_and_nobody_has_to_ask() {
    let (world, mut clients) = with_members(&[1, 2]).await;
    let version = world.memberships.change(GROUP, &[], &[2]);
    world.push_to_members(GROUP, version, [&[], &[2]], &"out").await;
    world.push_to_members(GROUP, version, NOBODY, &"after").await;
    assert_eq!(clients[0].next().await, news("out"));
    assert_eq!(clients[0].next().await, news("after"));
    assert!(clients[1].hears_nothing().await);
    assert_eq!(world.memberships.asked_present(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_something_older_goes_to_members_as_of_now_who_were_there_then() {
    let (world, mut clients) = with_members(&[1, 2, 3]).await;
    let joined = world.memberships.change(GROUP, &[3], &[]);
    let out = world.memberships.change(GROUP, &[], &[2]);
    // Word of both is lost.
    world.push_about_older(GROUP, out, joined - 1, NOBODY, &"an edit").await;
    world.push_to_members(GROUP, out, NOBODY, &"after").await;
    assert_eq!(clients[0].next().await, news("an edit"));
    assert_eq!(clients[0].next().await, news("after"));
    assert_eq!(clients[2].next().await, news("after"));
    assert!(clients[1].hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_gets_nothing_that_follows_even_if_word_of_it_is_lost_or_late() {
    let (world, mut clients) = with_members(&[1, 2, 3]).await;
    // Lost.
    let out = world.memberships.change(GROUP, &[], &[2]);
    world.push_to_members(GROUP, out, NOBODY, &"after the first").await;
    assert_eq!(clients[0].next().await, news("after the first"));
    assert_eq!(clients[2].next().await, news("after the first"));
    // Late: three publishers, whose deliveries come in the wrong order.
    let mute = world.memberships.change(GROUP, &[], &[]);
    let out = world.memberships.change(GROUP, &[], &[3]);
    world.push_to_members(GROUP, out, NOBODY, &"after the second").await;
    world.push_to_members(GROUP, out, [&[], &[3]], &"the second").await;
    world.push_to_members(GROUP, mute, NOBODY, &"before the second").await;
    for text in ["after the second", "the second", "before the second"] {
        assert_eq!(clients[0].next().await, news(text));
    }
    assert!(clients[1].hears_nothing().await);
    assert!(clients[2].hears_nothing().await, "not even what is older, once it is known");
    assert_eq!(world.memberships.asked_present(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_does_not_get_what_is_older() {
    let (world, mut clients) = with_members(&[1]).await;
    let version = world.memberships.change(GROUP, &[2], &[]);
    let mut joiner = signed_in(&world, 2).await;
    world.push_to_members(GROUP, version - 1, NOBODY, &"before").await;
    world.push_to_members(GROUP, version, [&[2], &[]], &"joined").await;
    assert_eq!(joiner.next().await, news("joined"));
    assert_eq!(clients[0].next().await, news("before"));
    assert_eq!(clients[0].next().await, news("joined"));
    assert_eq!(world.memberships.asked_present(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_while_online_gets_what_follows_from_the_word_of_it_on() {
    let world = World::start().await;
    world.memberships.change(GROUP, &[1], &[]);
    let mut owner = signed_in(&world, 1).await;
    for user in 2..=30 {
        let mut client = signed_in(&world, user).await;
        assert_eq!(world.memberships.asked_groups(), usize::try_from(user).unwrap());
        // A group without members here.
        let own = 100 + user;
        world.memberships.change(own, &[user], &[]);
        world.tell_joined(user, own, &"own").await;
        assert_eq!(client.next().await, event(Encoding::Json, "group.joined", &"own"));
        world.push_to_members(own, 1, NOBODY, &"to my own").await;
        assert_eq!(client.next().await, news("to my own"));
        // One with, which learns of it later.
        let version = world.memberships.change(GROUP, &[user], &[]);
        world.tell_joined(user, GROUP, &"shared").await;
        assert_eq!(client.next().await, event(Encoding::Json, "group.joined", &"shared"));
        world.push_to_members(GROUP, version - 1, NOBODY, &"before").await;
        world.push_to_members(GROUP, version, NOBODY, &"shared").await;
        assert_eq!(client.next().await, news("shared"));
        assert_eq!(owner.next().await, news("before"));
        assert_eq!(owner.next().await, news("shared"));
        assert!(client.hears_nothing().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_who_join_a_group_at_once_are_asked_about_together() {
    let world = World::with(|settings| settings.max_connections_per_address = 0).await;
    let users: Vec<u64> = (1..=300).collect();
    let mut clients = Vec::new();
    for user in &users {
        clients.push(signed_in(&world, *user).await);
    }
    world.memberships.change(GROUP, &users, &[]);
    for user in &users {
        world.tell_joined(*user, GROUP, &"in").await;
    }
    for client in &mut clients {
        assert_eq!(client.next().await, event(Encoding::Json, "group.joined", &"in"));
    }
    let asked = world.memberships.asked_present();
    assert!(asked < 100, "{asked} questions about 300");
    world.push_to_members(GROUP, 1, NOBODY, &"news").await;
    for client in &mut clients {
        assert_eq!(client.next().await, news("news"));
    }
    assert_eq!(world.subscriptions(None).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_and_came_back_is_a_member_in_whatever_order_that_is_told() {
    let (world, mut clients) = with_members(&[1, 2]).await;
    let left = world.memberships.change(GROUP, &[], &[2]);
    let joined = world.memberships.change(GROUP, &[2], &[]);
    world.tell_joined(2, GROUP, &"back").await;
    assert_eq!(clients[1].next().await, event(Encoding::Json, "group.joined", &"back"));
    world.push_to_members(GROUP, joined, [&[2], &[]], &"joined").await;
    world.push_to_members(GROUP, left, [&[], &[2]], &"left").await;
    world.push_to_members(GROUP, joined, NOBODY, &"hello").await;
    for text in ["joined", "left", "hello"] {
        assert_eq!(clients[0].next().await, news(text));
    }
    assert_eq!(clients[1].next().await, news("joined"));
    assert_eq!(clients[1].next().await, news("hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_cannot_be_asked_who_is_a_member_nothing_is_handed_out_and_members_catch_up_later() {
    let (world, mut clients) = with_members(&[1, 2]).await;
    world.memberships.set_hangs(true);
    let version = world.memberships.change(GROUP, &[], &[2]);
    for text in ["withheld", "withheld, too"] {
        world.push_to_members(GROUP, version, NOBODY, &text).await;
    }
    sleep(Duration::from_millis(2_500)).await;
    assert!(clients[0].hears_nothing().await);
    // What is old enough to be sure of is still handed out.
    world.push_to_members(GROUP, version - 1, NOBODY, &"older").await;
    assert_eq!(clients[0].next().await, news("older"));
    assert_eq!(clients[1].next().await, news("older"));
    world.memberships.set_hangs(false);
    assert_eq!(clients[0].next().await, resync());
    world.push_to_members(GROUP, version, NOBODY, &"again").await;
    assert_eq!(clients[0].next().await, news("again"));
    assert!(clients[0].hears_nothing().await);
    assert!(clients[1].hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_last_of_the_answers_allows_is_handed_out() {
    let (world, mut clients) = with_members(&[1, 2]).await;
    let version = world.memberships.change(GROUP, &[], &[2]);
    world.memberships.set_outdated(2);
    world.push_to_members(GROUP, version, NOBODY, &"news").await;
    assert_eq!(clients[0].next().await, news("news"));
    assert_eq!(world.memberships.asked_present(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_message_module_away_the_same_holds() {
    let (mut world, mut clients) = with_members(&[1, 2]).await;
    world.stop_answering().await;
    let version = world.memberships.change(GROUP, &[], &[2]);
    world.push_to_members(GROUP, version, NOBODY, &"withheld").await;
    sleep(Duration::from_millis(2_000)).await;
    assert!(clients[0].hears_nothing().await);
    world.start_answering().await;
    assert_eq!(clients[0].next().await, resync());
    world.push_to_members(GROUP, version, NOBODY, &"again").await;
    assert_eq!(clients[0].next().await, news("again"));
    assert!(clients[1].hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_message_module_away_one_signs_in_and_groups_come_later() {
    let mut world = World::start().await;
    world.memberships.change(GROUP, &[1], &[]);
    world.stop_answering().await;
    let started = Instant::now();
    let mut client = signed_in(&world, 1).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // The second device waits for nothing.
    let started = Instant::now();
    let mut second = Client::tcp(world.tcp, Encoding::Json).await;
    second.login(1, 2).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // Who has left by then is forgotten.
    world.memberships.change(GROUP, &[2], &[]);
    drop(signed_in(&world, 2).await);
    world.push(1, "news", &"to me").await;
    assert_eq!(client.next().await, news("to me"));
    assert_eq!(second.next().await, news("to me"));

    world.start_answering().await;
    assert_eq!(client.next().await, resync());
    assert_eq!(second.next().await, resync());
    world.push_to_members(GROUP, 2, NOBODY, &"to all").await;
    assert_eq!(client.next().await, news("to all"));
    drop((client, second));
    world.until_subscriptions(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_while_it_cannot_be_asked_holds_nothing_else_up_for_long() {
    let world = World::start().await;
    let mut client = signed_in(&world, 1).await;
    world.memberships.set_hangs(true);
    world.memberships.change(GROUP, &[1], &[]);
    let started = Instant::now();
    world.tell_joined(1, GROUP, &"in").await;
    world.push(1, "news", &"to me").await;
    assert_eq!(client.next().await, event(Encoding::Json, "group.joined", &"in"));
    assert_eq!(client.next().await, news("to me"));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    world.memberships.set_hangs(false);
    assert_eq!(client.next().await, resync());
    world.push_to_members(GROUP, 1, NOBODY, &"to all").await;
    assert_eq!(client.next().await, news("to all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_passport_repairs_what_was_not_heard() {
    let world = World::start().await;
    world.memberships.change(GROUP, &[1], &[]);
    world.memberships.change(5, &[1], &[]);
    world.demo.valid_for_ms.store(2_000, Ordering::SeqCst);
    let mut client = signed_in(&world, 1).await;
    // Out of one group, into another, and no word of either.
    world.memberships.change(5, &[], &[1]);
    world.memberships.change(6, &[1], &[]);
    assert_eq!(client.next().await, resync());
    world.push_to_members(6, 1, NOBODY, &"news").await;
    assert_eq!(client.next().await, news("news"));
    assert_eq!(world.subscriptions(Some(5)).await, 0);
    assert_eq!(world.subscriptions(None).await, 2);
    let asked = world.memberships.asked_groups();
    eventually("renewed again", || world.memberships.asked_groups() > asked).await;
    assert!(client.hears_nothing().await, "nothing was missed this time");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_bus_broke_members_catch_up_with_what_they_joined_meanwhile() {
    let (world, mut clients) = with_members(&[1]).await;
    let client = &mut clients[0];
    world.kill_bus();
    world.memberships.change(6, &[1], &[]);
    assert_eq!(client.next().await, resync());
    world.until_subscriptions(2).await;
    world.push_to_members(GROUP, 1, NOBODY, &"old group").await;
    world.push_to_members(6, 1, NOBODY, &"new group").await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let said = client.next().await;
        if said != resync() {
            heard.push(said);
        }
    }
    heard.sort_by_key(|said| format!("{said:?}"));
    assert_eq!(heard, [news("new group"), news("old group")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_hundreds_of_groups_signs_in_soon_and_leaves_nothing_behind() {
    const GROUPS: u64 = 500;
    let world = World::start().await;
    for group in 1..=GROUPS {
        world.memberships.change(group, &[1], &[]);
    }
    let started = Instant::now();
    let mut client = signed_in(&world, 1).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    for group in 1..=GROUPS {
        world.push_to_members(group, 1, NOBODY, &group).await;
    }
    let mut heard = std::collections::BTreeSet::new();
    for _ in 1..=GROUPS {
        let Said::Event(_, body) = client.next().await else { panic!("no event") };
        heard.insert(client.read::<u64>(&body));
    }
    assert_eq!(heard, (1..=GROUPS).collect());
    assert_eq!(world.subscriptions(None).await, 500);
    assert_eq!(world.memberships.asked_groups(), 1);
    drop(client);
    world.until_subscriptions(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_to_a_group_without_a_version_goes_to_nobody() {
    let (world, mut clients) = with_members(&[1]).await;
    world.push_without_version(GROUP, &"news").await;
    assert!(clients[0].hears_nothing().await);
    world.push_to_members(GROUP, 1, NOBODY, &"after").await;
    assert_eq!(clients[0].next().await, news("after"));
}
