//! What a machine may be short of: disk, memory, the right time, its database server.

use std::time::Duration;

use broker_schemas::message::Recipient;
use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use super::super::machine::{Cgroup, Postgres, SmallDisk, sh};
use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::{Backend, Person, Platform, Wire, befriend};

pub(super) async fn disk_full(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    // What a new server writes before anybody asks for anything, and some more.
    let (disk, server) = if backend == Backend::Sqlite {
        (SmallDisk::new(24)?, None)
    } else {
        let disk = SmallDisk::new(160)?;
        let server = Postgres::start_on(&disk)?;
        (disk, Some(server))
    };
    let url = server
        .as_ref()
        .map_or_else(|| format!("sqlite:{}", disk.path().display()), |server| server.url.clone());
    let scene = Scene::start(backend, &plan, &[&format!("database.url={url}")]).await;
    scene.calm().await;
    scene.fault("the disk is full");
    disk.fill();
    sleep(Duration::from_secs(2)).await;
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(6)).await;
    let during = scene.recorder().acked() - before;
    // A server that could not write its log ends; whoever gives it room starts it.
    let revive = |server: &Postgres| tokio::task::block_in_place(|| server.revive());
    let grown = disk.grow(512).and_then(|()| server.as_ref().map_or(Ok(()), revive));
    scene.heal("the disk has grown");
    sleep(plan.time() / 2).await;
    let mut done = scene.finish(&plan).await;
    done.not_done(grown);
    done.measured.push(format!("{during} acked while full"));
    drop(server);
    Ok(done)
}

pub(super) async fn database_restarts(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    if backend == Backend::Sqlite {
        return Err(Skip("SQLite has no server".into()));
    }
    let server = Postgres::start()?;
    let scene = Scene::start(Backend::Postgres(server.url.clone()), &plan, &[]).await;
    scene.calm().await;
    let mut restarted = Vec::new();
    for _ in 0..2 {
        scene.fault("pg_ctl -m immediate restart");
        let server = &server;
        restarted.push(tokio::task::block_in_place(|| server.restart()));
        scene.heal("it accepts connections");
        sleep(plan.time() / 3).await;
    }
    let mut done = scene.finish(&plan).await;
    restarted.into_iter().for_each(|step| done.not_done(step));
    drop(server);
    Ok(done)
}

/// A message module an hour behind, then one an hour ahead, then one with the right time.
///
/// One that is ahead of the user module by more than a passport lives refuses everybody, and so it should: it can't know
/// which clock is wrong. What counts is that nothing is lost, that the order holds, and that the right time heals it.
pub(super) async fn clock_skew(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let library = sh("ls /usr/lib/*/faketime/libfaketimeMT.so.1 | head -1")
        .ok()
        .filter(|library| !library.is_empty())
        .ok_or_else(|| Skip("libfaketime is not installed".into()))?;
    let mut scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    let preload = format!("LD_PRELOAD={library}");
    let mut acked = Vec::new();
    for skew in ["-1h", "+1h"] {
        let skewed = format!("FAKETIME={skew}");
        scene.platform.wrap("message", &["env", &preload, &skewed, "FAKETIME_DONT_FAKE_MONOTONIC=1"]);
        scene.fault(skew);
        scene.platform.replace("message").await;
        let before = scene.recorder().acked();
        sleep(plan.time() / 3).await;
        acked.push(format!("{} acked at {skew}", scene.recorder().acked() - before));
    }
    scene.platform.wrap("message", &[]);
    scene.platform.replace("message").await;
    scene.heal("the right time");
    sleep(plan.time() / 3).await;
    let mut done = scene.finish(&plan).await;
    if acked[0].starts_with("0 ") {
        done.wrong.push("a module that is behind accepts nothing".into());
    }
    done.measured.append(&mut acked);
    done.refusal = Some("the passport has expired");
    Ok(done)
}

/// The edge in 512 MiB, and people who never read while others write to them.
pub(super) async fn memory(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    const PEOPLE: usize = 5;
    const CONNECTIONS: usize = 100;
    const TEXTS: usize = 300;
    let group = Cgroup::new(512)?;
    let settings = ["edge.max_connections_per_user=200", "user.sessions_per_user=1000"];
    let mut platform = Platform::prepare_distributed(backend, &settings).await;
    platform
        .wrap("edge", &["bash", "-c", &format!("echo $$ > {}/cgroup.procs; exec \"$0\" \"$@\"", group.path)]);
    platform.start_distributed().await;
    let scene = Scene::begin(platform, &plan, false).await;
    scene.calm().await;
    let tcp = scene.platform.tcp().await;
    let address = scene.platform.address("tcp").await;
    let mut alice = Person::register(&tcp, "alice").await;
    let (mut slow, mut users) = (Vec::new(), Vec::new());
    for number in 0..PEOPLE {
        let name = format!("slow{number}");
        let mut person = Person::register(&tcp, &name).await;
        befriend(&mut alice, &mut person).await;
        users.push(person.user);
        drop(person);
        for _ in 0..CONNECTIONS {
            let mut wire = Wire::connect_slow(&address).await;
            wire.call(1, "user.login", serde_json::json!({"name": name, "password": Person::password()}))
                .await;
            slow.push(wire);
        }
    }
    scene.fault("500 clients stop reading, and 5 MB for each");
    let text = "x".repeat(16 * 1024);
    let mut failed = None;
    for number in 0..TEXTS * PEOPLE {
        let to = Recipient::User(users[number % PEOPLE]);
        let sent = alice.chat.send(to, uuid::Uuid::now_v7(), &text, Duration::from_secs(10)).await;
        if let Err(error) = sent {
            failed = Some(format!("the flood failed after {number} messages: {error}"));
            break;
        }
        if number % 100 == 0 {
            scene.sample();
        }
    }
    scene.heal("the flood is over");
    let peak = sh(&format!("cat {}/memory.max_usage_in_bytes", group.path));
    let closed = count_closed(slow).await;
    let mut done = scene.finish(&plan).await;
    done.wrong.extend(failed);
    // Without one, nobody knows that there was anything to shed.
    if closed == 0 {
        done.wrong.push("no client that does not read was cut off".into());
    }
    match peak.and_then(|peak| peak.parse::<u64>().map_err(|error| format!("{peak:?}: {error}"))) {
        Ok(peak) => done.measured.push(format!("edge's group held {} MiB at most, of 512", peak >> 20)),
        Err(error) => done.wrong.push(format!("the memory of the edge's group can't be read: {error}")),
    }
    done.measured.push(format!("{closed} of {} slow clients cut off", PEOPLE * CONNECTIONS));
    Ok(done)
}

/// How many of these connections the other side has closed, once they read what came before.
async fn count_closed(slow: Vec<Wire>) -> usize {
    let reading = slow.into_iter().map(|mut wire| async move {
        let mut bytes = vec![0; 4_096];
        let to_its_end = async { while matches!(wire.socket().read(&mut bytes).await, Ok(1..)) {} };
        timeout(Duration::from_secs(10), to_its_end).await.is_ok()
    });
    join_all(reading).await.into_iter().filter(|is_closed| *is_closed).count()
}
