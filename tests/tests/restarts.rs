//! Restarting modules under load loses no call, no message and no connection. `topologies.rs` restarts the others, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use broker_schemas::message::Recipient;
use broker_schemas::{friend, user};
use natter_client::Update;
use natter_tests::device::draft;
use natter_tests::{Person, Platform, befriend, on_both_databases};
use tokio::task::JoinSet;

const PEOPLE: usize = 20;

/// What one person did and saw.
struct Seen {
    acked: Vec<(u64, String)>,
    messages: Vec<(u64, String)>,
    failed: Vec<String>,
    offline: u64,
}

/// Sends, reads and lists until told to stop; each call is made once, so that a lost one shows.
async fn talk(
    mut person: Person,
    peer: broker_schemas::UserId,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
) -> Seen {
    let mut seen = Seen { acked: vec![], messages: vec![], failed: vec![], offline: 0 };
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("{} {number}", person.name);
        match person.chat.call(&draft(Recipient::User(peer), &text)).await {
            Ok(sent) => seen.acked.push((sent.seq.get(), text)),
            Err(error) => seen.failed.push(format!("send: {error}")),
        }
        if let Err(error) = person.chat.call(&friend::ListFriends {}).await {
            seen.failed.push(format!("list: {error}"));
        }
        if let Err(error) = person.chat.call(&user::GetProfile { user: None }).await {
            seen.failed.push(format!("profile: {error}"));
        }
        calls.fetch_add(3, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        while let Ok(Some(update)) =
            tokio::time::timeout(Duration::from_millis(1), person.updates.next()).await
        {
            record(update, &mut seen);
        }
    }
    while let Ok(Some(update)) = tokio::time::timeout(Duration::from_secs(2), person.updates.next()).await {
        record(update, &mut seen);
    }
    seen
}

fn record(update: Update, seen: &mut Seen) {
    match update {
        Update::Message(entry) => seen.messages.push((entry.seq.get(), entry.text)),
        Update::Offline { .. } | Update::Over(_) => seen.offline += 1,
        _ => {}
    }
}

on_both_databases! {
    async fn each_module_in_turn_while_twenty_people_talk(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.tcp().await;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(Person::register(&address, &format!("person{number}")).await);
        }
        for pair in people.chunks_mut(2) {
            let [a, b] = pair else { unreachable!() };
            befriend(a, b).await;
        }
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let users: Vec<_> = people.iter().map(|person| person.user).collect();
        let mut talks = JoinSet::new();
        for (index, person) in people.into_iter().enumerate() {
            let (stop, calls, peer) = (stop.clone(), calls.clone(), users[index ^ 1]);
            talks.spawn(async move { (index, talk(person, peer, stop, calls).await) });
        }
        for _ in 0..2 {
            for part in ["user", "friend", "message"] {
                tokio::time::sleep(Duration::from_millis(700)).await;
                platform.replace(part).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        stop.store(true, Ordering::Relaxed);
        let seen: HashMap<usize, Seen> = talks.join_all().await.into_iter().collect();

        let calls = calls.load(Ordering::Relaxed);
        eprintln!("{calls} calls while six copies were replaced");
        assert!(calls > 1_000, "{calls} calls are no load");
        for (index, person) in &seen {
            assert!(person.failed.is_empty(), "person{index}: {:?}", person.failed);
            assert_eq!(person.offline, 0, "person{index} was disconnected");
            let places: Vec<u64> = person.messages.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<u64> = (1..=u64::try_from(places.len()).unwrap()).collect();
            assert_eq!(places, expected, "person{index} saw a gap, a repeat or another order");
            for (seq, text) in person.acked.iter().chain(&seen[&(index ^ 1)].acked) {
                let shown = person.messages.get(usize::try_from(seq - 1).unwrap());
                assert_eq!(shown.map(|(_, text)| text), Some(text), "person{index} misses message {seq}");
            }
        }
    }
}
