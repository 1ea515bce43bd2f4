//! Several edges, an edge that dies, a bus that dies: people go on talking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use broker_schemas::UserId;
use broker_schemas::message::Recipient;
use natter_client::{Event, Update};
use natter_tests::{Backend, Person, Platform, befriend, on_both_databases};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Each part in a process of its own, and a second edge.
async fn with_two_edges(backend: Backend) -> Platform {
    let mut platform = Platform::distributed(backend).await;
    platform.start("edge2").await;
    platform
}

on_both_databases! {
    async fn it_does_not_matter_on_which_edge_somebody_is(backend: Backend) {
        let platform = with_two_edges(backend).await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        assert_ne!(first, second);
        let mut alice = Person::register(&first, "alice").await;
        let mut bob = Person::register(&second, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let mut phone = Person::sign_in(&first, "bob").await;

        for (number, from_alice) in [true, false, false, true].into_iter().enumerate() {
            let text = format!("number {number}");
            let sent = if from_alice {
                alice.send(bob.user, &text).await
            } else if number == 1 {
                bob.send(alice.user, &text).await
            } else {
                phone.send(alice.user, &text).await
            };
            let seq = sent.unwrap().seq;
            for person in [&mut alice, &mut bob, &mut phone] {
                let entry = person.message().await;
                assert_eq!((entry.seq, entry.text), (seq, text.clone()), "at {}", person.name);
            }
        }
        // A person is there until the last device on any edge is gone.
        let user = bob.user;
        drop(bob);
        drop(phone);
        let gone = |event| matches!(event, Event::Presence(event) if event.user == user && !event.online).then_some(());
        alice.event(gone).await;
    }
}

on_both_databases! {
    async fn what_is_sent_while_an_edge_dies_is_there_on_the_next_edge(backend: Backend) {
        const MESSAGES: usize = 50;
        let mut platform = with_two_edges(backend).await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        let mut alice = Person::register(&first, "alice").await;
        let mut bob = Person::register(&second, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let to = bob.user;
        let mut sending = JoinSet::new();
        let (died, mut has_died) = tokio::sync::oneshot::channel();
        sending.spawn(async move {
            for number in 0..MESSAGES {
                if number == MESSAGES / 2 {
                    (&mut has_died).await.unwrap();
                }
                alice.send(to, &number.to_string()).await.unwrap();
            }
            alice
        });
        let mut texts = Vec::new();
        while texts.len() < MESSAGES / 5 {
            texts.push(bob.message().await.text);
        }
        platform.kill("edge2").await;
        died.send(()).unwrap();
        // What was on its way still arrives; then the client knows.
        loop {
            match bob.update().await {
                Update::Message(entry) => texts.push(entry.text),
                Update::Offline { .. } => break,
                _ => {}
            }
        }
        assert!(texts.len() < MESSAGES, "the edge died too late");
        let mut bob = bob.leave().back(Some(&first)).await;
        while texts.len() < MESSAGES {
            texts.push(bob.message().await.text);
        }
        let alice = sending.join_next().await.unwrap().unwrap();
        bob.expect_silence(Duration::from_millis(300)).await;
        let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
        assert_eq!(texts, expected);
        drop(alice);
    }
}

/// What one person sent and saw while the bus died.
#[derive(Debug, Default)]
struct Seen {
    acked: Vec<(u64, String)>,
    messages: Vec<(u64, String)>,
}

impl Seen {
    fn take(&mut self, name: &str, update: Update) {
        match update {
            Update::Message(entry) => self.messages.push((entry.seq.get(), entry.text)),
            Update::Offline { reason, .. } | Update::Over(reason) => {
                panic!("{name} lost the connection: {reason}")
            }
            _ => {}
        }
    }
}

/// What those who talk share.
#[derive(Debug, Default)]
struct Talk {
    acked: AtomicUsize,
    stop: AtomicBool,
}

impl Talk {
    /// Waits until so many more messages were acked.
    async fn goes_on(&self, more: usize) {
        let enough = self.acked.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.acked.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < deadline, "nothing is acked any more");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Sends until told to stop, and reads all the time.
async fn talk(mut person: Person, to: UserId, shared: Arc<Talk>) -> (Person, Seen) {
    let mut seen = Seen::default();
    let (chat, name) = (person.chat.clone(), person.name.clone());
    let send = async {
        let mut acked = Vec::new();
        while !shared.stop.load(Ordering::Relaxed) {
            let text = format!("{name} {}", acked.len());
            let limit = Duration::from_secs(20);
            let sent = chat.send(Recipient::User(to), Uuid::now_v7(), &text, limit).await.unwrap();
            acked.push((sent.seq.get(), text));
            shared.acked.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
        }
        acked
    };
    tokio::pin!(send);
    loop {
        tokio::select! {
            acked = &mut send => {
                seen.acked = acked;
                return (person, seen);
            }
            update = person.updates.next() => seen.take(&name, update.expect("the session goes on")),
        }
    }
}

/// Reads until every message up to `last` was seen.
async fn catch_up(mut person: Person, mut seen: Seen, last: u64) -> Seen {
    while seen.messages.last().is_none_or(|(seq, _)| *seq < last) {
        let update = person.update().await;
        seen.take(&person.name, update);
    }
    seen
}

on_both_databases! {
    async fn a_bus_that_dies_costs_no_connection_and_no_message(backend: Backend) {
        let platform = Platform::distributed(backend).await;
        let address = platform.tcp().await;
        let mut people = Vec::new();
        for name in ["alice", "bob", "carol", "dave"] {
            people.push(Person::register(&address, name).await);
        }
        for pair in people.chunks_mut(2) {
            let [a, b] = pair else { unreachable!() };
            befriend(a, b).await;
        }
        let users: Vec<_> = people.iter().map(|person| person.user).collect();
        let shared = Arc::new(Talk::default());
        let mut talks = JoinSet::new();
        for (index, person) in people.into_iter().enumerate() {
            let talk = talk(person, users[index ^ 1], shared.clone());
            talks.spawn(async move { (index, talk.await) });
        }
        shared.goes_on(40).await;
        let pid = platform.bus_pid();
        platform.kill_bus();
        let killed = Instant::now();
        shared.goes_on(100).await;
        shared.stop.store(true, Ordering::Relaxed);
        let mut talks = talks.join_all().await;
        assert_ne!(platform.bus_pid(), pid, "the bus was not killed");
        talks.sort_by_key(|(index, _)| *index);

        let last_of = |index: usize| {
            let (_, (_, mine)): &(_, (_, Seen)) = &talks[index];
            mine.acked.last().expect("sent something").0
        };
        let lasts: Vec<_> = (0..talks.len()).map(|index| last_of(index).max(last_of(index ^ 1))).collect();
        let mut all = Vec::new();
        for ((_, (person, seen)), last) in talks.into_iter().zip(lasts) {
            all.push(catch_up(person, seen, last).await);
        }
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
        for (index, person) in all.iter().enumerate() {
            let places: Vec<u64> = person.messages.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<u64> = (1..=u64::try_from(places.len()).unwrap()).collect();
            assert_eq!(places, expected, "a gap, a repeat or another order");
            let acked = person.acked.len() + all[index ^ 1].acked.len();
            assert_eq!(acked, places.len(), "stored once each");
            for (seq, text) in person.acked.iter().chain(&all[index ^ 1].acked) {
                let shown = &person.messages[usize::try_from(seq - 1).unwrap()];
                assert_eq!(&shown.1, text, "message {seq}");
            }
        }
    }
}
