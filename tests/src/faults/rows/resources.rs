//! What a machine may be short of: disk, memory, the right time, its database server.

use std::time::Duration;

use broker_schemas::message::Recipient;
use tokio::time::sleep;

use super::super::machine::{Cgroup, Postgres, SmallDisk, sh};
use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::{Backend, Person, Platform, Wire, befriend};

pub(super) async fn disk_full(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    if backend != Backend::Sqlite {
        return Err(Skip("the disk of a PostgreSQL server is its operator's; see database-restarts".into()));
    }
    let disk = SmallDisk::new(24)?;
    let url = format!("database.url=sqlite:{}", disk.path().display());
    let scene = Scene::start(backend, &plan, &[&url]).await;
    scene.calm().await;
    scene.fault("the disk is full");
    disk.fill();
    sleep(Duration::from_secs(2)).await;
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(6)).await;
    let during = scene.recorder().acked() - before;
    disk.grow(128)?;
    scene.heal("the disk has grown");
    sleep(plan.time() / 2).await;
    let mut done = scene.finish(&plan).await;
    done.measured.push(format!("{during} acked while full"));
    Ok(done)
}

pub(super) async fn database_restarts(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    if backend == Backend::Sqlite {
        return Err(Skip("SQLite has no server".into()));
    }
    let server = Postgres::start()?;
    let scene = Scene::start(Backend::Postgres(server.url.clone()), &plan, &[]).await;
    scene.calm().await;
    for _ in 0..2 {
        scene.fault("pg_ctl -m immediate restart");
        let server = &server;
        tokio::task::block_in_place(|| server.restart())?;
        scene.heal("it accepts connections");
        sleep(plan.time() / 3).await;
    }
    let done = scene.finish(&plan).await;
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
    for number in 0..TEXTS * PEOPLE {
        let to = Recipient::User(users[number % PEOPLE]);
        let sent = alice.chat.send(to, uuid::Uuid::now_v7(), &text, Duration::from_secs(10)).await;
        sent.map_err(|error| Skip(format!("the flood failed: {error}")))?;
        if number % 100 == 0 {
            scene.sample();
        }
    }
    scene.heal("the flood is over");
    let peak = sh(&format!("cat {}/memory.max_usage_in_bytes", group.path)).unwrap_or_default();
    let mut done = scene.finish(&plan).await;
    let peak = peak.parse::<u64>().unwrap_or(0) >> 20;
    done.measured.push(format!("edge's group held {peak} MiB at most, of 512"));
    Ok(done)
}
