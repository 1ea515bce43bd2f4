//! The edge, dead, or with clients that don't read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use broker_schemas::message::Recipient;
use natter_client::{Chat, ChatOptions, Update};
use natter_host::testing::free_port;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::super::machine::sh;
use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::history::{Line, Mark, Operation, Step};
use crate::{Backend, Person, Wire, befriend};

pub(super) async fn dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let port = free_port();
    let mut scene = Scene::start(backend, &plan, &[&format!("edge.tcp=127.0.0.1:{port}")]).await;
    scene.calm().await;
    for _ in 0..2 {
        scene.kill("edge").await;
        sleep(plan.time() / 3).await;
    }
    Ok(scene.finish(&plan).await)
}

/// Ten thousand clients that are only there: ten devices of each of a thousand people.
pub(super) async fn dies_with_many(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    const PEOPLE: usize = 1_000;
    const DEVICES: usize = 10;
    const CLIENTS: usize = PEOPLE * DEVICES;
    const BOUND: Duration = Duration::from_secs(30);
    let files: usize = sh("ulimit -n").ok().and_then(|limit| limit.parse().ok()).unwrap_or_default();
    if files < CLIENTS + 2_000 {
        return Err(Skip(format!("{files} open files per process are too few for {CLIENTS} clients")));
    }
    let port = free_port();
    let mut scene = Scene::start(backend, &plan, &[&format!("edge.tcp=127.0.0.1:{port}")]).await;
    let address = scene.platform.tcp().await;
    let signing_in = Instant::now();
    let (mut clients, online) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    let mut accounts = JoinSet::new();
    for person in 0..PEOPLE {
        while accounts.len() >= 16 {
            accounts.join_next().await;
        }
        let address = address.clone();
        accounts.spawn(async move { drop(Person::register(&address, &format!("many{person}")).await) });
    }
    accounts.join_all().await;
    let mut chats = JoinSet::new();
    let mut signed_in = Vec::new();
    for client in 0..CLIENTS {
        while chats.len() >= 32 {
            signed_in.extend(chats.join_next().await);
        }
        let (address, login) = (address.clone(), Person::login(&format!("many{}", client / DEVICES)));
        chats.spawn(async move { Chat::sign_in(&address, &login, ChatOptions::default()).await });
    }
    signed_in.extend(chats.join_all().await.into_iter().map(Ok));
    for chat in signed_in {
        let (chat, mut updates) = chat.unwrap().unwrap();
        let online = Arc::clone(&online);
        clients.spawn(async move {
            let mut is_online = false;
            while let Some(update) = updates.next().await {
                let now = match update {
                    Update::Online(_) => true,
                    // Once for each attempt that fails.
                    Update::Offline { .. } | Update::Over(_) => false,
                    _ => continue,
                };
                match (is_online, now) {
                    (false, true) => drop(online.fetch_add(1, Ordering::Relaxed)),
                    (true, false) => drop(online.fetch_sub(1, Ordering::Relaxed)),
                    _ => {}
                }
                is_online = now;
            }
            drop(chat);
        });
    }
    let all_back = || async {
        let deadline = Instant::now() + BOUND * 3;
        while online.load(Ordering::Relaxed) < CLIENTS && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        online.load(Ordering::Relaxed)
    };
    all_back().await;
    let signing_in = signing_in.elapsed();
    scene.calm().await;
    let killed = Instant::now();
    scene.kill("edge").await;
    // The first ones notice at once; nobody is counted as back who has not noticed.
    while online.load(Ordering::Relaxed) == CLIENTS && killed.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(1)).await;
    }
    let back = all_back().await;
    let took = killed.elapsed();
    let mut done = scene.finish(&plan).await;
    clients.shutdown().await;
    if back < CLIENTS || took > BOUND {
        done.wrong.push(format!("{back} of {CLIENTS} clients were back after {took:.1?}"));
    }
    done.measured.push(format!(
        "{back} clients back in {:.1} s ({CLIENTS} first sign-ins took {:.0} s)",
        took.as_secs_f64(),
        signing_in.as_secs_f64()
    ));
    // A socket for each of them.
    done.descriptors = Some(CLIENTS as u64 + 1_000);
    Ok(done)
}

/// One that never reads, and 10 MB for it.
pub(super) async fn slow_client(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    const TEXTS: usize = 640;
    let scene = Scene::start(backend, &plan, &[]).await;
    let tcp = scene.platform.tcp().await;
    let (mut alice, mut bob) = (Person::register(&tcp, "alice").await, Person::register(&tcp, "bob").await);
    befriend(&mut alice, &mut bob).await;
    let to = bob.user;
    drop(bob);
    sleep(plan.time() / 2).await;
    let mut slow = Wire::connect_slow(&scene.platform.address("tcp").await).await;
    let login = serde_json::json!({"name": "bob", "password": Person::password()});
    slow.call(1, "user.login", login).await;
    scene.fault("a client stops reading");
    let text = "x".repeat(16 * 1024);
    let mut failed = None;
    for _ in 0..TEXTS {
        let id = uuid::Uuid::now_v7();
        let sent = alice.chat.send(Recipient::User(to), id, &text, Duration::from_secs(10)).await;
        if let Err(error) = sent {
            failed = Some(format!("the flood failed: {error}"));
            break;
        }
    }
    // What the kernel holds comes out; then there must be an end.
    let mut received = 0;
    let ended = timeout(Duration::from_secs(10), async {
        use tokio::io::AsyncReadExt;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = slow.socket().read(&mut buffer).await {
            received += read;
        }
    });
    let cut = ended.await.is_ok();
    sleep(plan.time() / 4).await;
    let mut done = scene.finish(&plan).await;
    done.wrong.extend(failed);
    if !cut || received > 8 << 20 {
        done.wrong.push(format!("a client that never reads was not cut ({received} bytes reached it)"));
    }
    let (before, after) = send_p99(&done.lines);
    // Below some milliseconds a quotient says more of the machine than of the server.
    if after > before * 2 + Duration::from_millis(20) {
        done.wrong.push(format!("the others' p99 went from {before:.1?} to {after:.1?}"));
    }
    done.measured.push(format!(
        "cut after {} KiB; others' send p99 {before:.1?} before, {after:.1?} during",
        received >> 10
    ));
    Ok(done)
}

/// The 99th percentile of a send's time, before the fault and after it.
fn send_p99(lines: &[Line]) -> (Duration, Duration) {
    let fault = lines.iter().find_map(|line| match line {
        Line::Mark { at, mark: Mark::Fault, .. } => Some(*at),
        _ => None,
    });
    let mut invoked = std::collections::HashMap::new();
    let mut times = [Vec::new(), Vec::new()];
    for line in lines {
        let Line::Event(event) = line else { continue };
        match (event.operation, event.step) {
            (Operation::Send, Step::Invoke) => drop(invoked.insert(event.client_id, event.at)),
            (Operation::Send, Step::Ok) => {
                let Some(start) = invoked.get(&event.client_id) else { continue };
                times[usize::from(fault.is_some_and(|fault| event.at > fault))].push(event.at - start);
            }
            _ => {}
        }
    }
    let [before, after] = times.map(|mut times| {
        times.sort_unstable();
        Duration::from_micros(times.get(times.len() * 99 / 100).copied().unwrap_or(0))
    });
    (before, after)
}
