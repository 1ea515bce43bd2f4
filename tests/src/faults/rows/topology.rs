//! What only a whole installation has, as `natter up` runs it: a standby of the database, copies that share the work, hosts.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::machine::need;
use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use super::no_disconnect;
use crate::{Backend, Platform, Shown, signal};

const DISTRIBUTED: &str = include_str!("../../../../infra/topologies/distributed.toml");
/// A new standby has to copy everything, on a machine that has other work.
const STANDBY_WITHIN: Duration = Duration::from_secs(60);

/// The installation, with load on both edges that are for people.
async fn scene(topology: &str, more: &[&str], backend: Backend, plan: &Plan) -> Scene {
    let platform = Platform::up_with(topology, more, backend, &[]).await;
    let addresses = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let scene = Scene::begin_at(platform, plan, addresses, false).await;
    scene.calm().await;
    scene
}

/// Waits until there is a copy of PostgreSQL in this role.
async fn in_role(platform: &Platform, role: &str) -> Result<Shown, Skip> {
    let deadline = Instant::now() + STANDBY_WITHIN;
    loop {
        let copies = platform.copies().await;
        if let Some(found) = copies.into_iter().find(|shown| shown.role.as_deref() == Some(role)) {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(Skip(format!("no server is a {role} after {STANDBY_WITHIN:?}")));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The primary is killed, twice: the second time it is the server that was promoted the first time. Without synchronous
/// replication nothing promotes the standby by itself, so the operator does.
pub(super) async fn primary_dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    if backend == Backend::Sqlite {
        return Err(Skip("SQLite has no server".into()));
    }
    let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
    let file = folder.path().join("asynchronous.toml");
    let text = DISTRIBUTED.replacen("standby = true", "standby = true\nsynchronous = false", 1);
    std::fs::write(&file, text).map_err(|error| Skip(error.to_string()))?;
    let topology = if plan.asynchronous { file.display().to_string() } else { "distributed".to_owned() };
    let scene = scene(&topology, &[], Backend::OfTopology, &plan).await;
    let (mut steps, mut measured) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let platform = &scene.platform;
        let failover = async {
            let standby =
                in_role(platform, if plan.asynchronous { "standby" } else { "standby, synchronous" }).await?;
            let primary = in_role(platform, "primary").await?;
            scene.fault(&format!("{} is killed", primary.copy));
            scene.heal("nobody does anything");
            let killed = Instant::now();
            if plan.asynchronous {
                platform.tell(&["promote", "--now"]).await.map_err(Skip)?;
            } else {
                signal(primary.pid.unwrap_or_default(), "KILL");
            }
            while in_role(platform, "primary").await?.copy != standby.copy {
                if killed.elapsed() > STANDBY_WITHIN {
                    return Err(Skip(format!("{} was not promoted", standby.copy)));
                }
                sleep(Duration::from_millis(50)).await;
            }
            measured.push(format!("{} promoted after {:.1} s", standby.copy, killed.elapsed().as_secs_f64()));
            sleep(plan.time() / 2).await;
            Ok(())
        };
        steps.push(failover.await);
    }
    let mut done = scene.finish(&plan).await;
    steps.into_iter().for_each(|step| done.not_done(step));
    done.measured.extend(measured);
    no_disconnect(&mut done);
    Ok(done)
}

/// One of three servers is killed, and starts again.
pub(super) async fn nats_server_dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let scene = scene("distributed", &[], backend, &plan).await;
    let server = scene.platform.copy("nats.2").await;
    scene.fault("nats.2 is killed");
    scene.heal("the other two are there");
    signal(server.pid.unwrap_or_default(), "KILL");
    sleep(plan.time() / 2).await;
    let mut done = scene.finish(&plan).await;
    no_disconnect(&mut done);
    Ok(done)
}

/// One of two copies hangs. Its callers wait to their deadline; then it is ended, and started again.
pub(super) async fn copy_hangs(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    hang(&[], true, backend, plan).await
}

/// The same, and it goes on hanging: the bus misses it, and the other copy gets all calls.
pub(super) async fn copy_hangs_on(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    if backend == Backend::Sqlite {
        return Err(Skip(
            "a copy that hangs in a transaction has the lock of SQLite's file until it is ended".into(),
        ));
    }
    hang(&["--keep-hung"], false, backend, plan).await
}

async fn hang(more: &[&str], ends: bool, backend: Backend, plan: Plan) -> Result<Done, Skip> {
    /// By then it is missed, and whoever asked it before has waited to the end.
    const MISSED_WITHIN: Duration = Duration::from_secs(25);
    let scene = scene("distributed", more, backend, &plan).await;
    let copy = scene.platform.copy("message.1").await;
    let pid = copy.pid.unwrap_or_default();
    scene.fault("message.1 hangs");
    signal(pid, "STOP");
    sleep(MISSED_WITHIN).await;
    // No call knows of it any more.
    scene.heal("it was missed");
    let unanswered = scene.recorder().unanswered();
    sleep(plan.time()).await;
    let unanswered = scene.recorder().unanswered() - unanswered;
    let has_ended = scene.platform.copy("message.1").await.pid != Some(pid);
    if !has_ended {
        signal(pid, "CONT");
    }
    let mut done = scene.finish(&plan).await;
    if unanswered > 0 {
        done.wrong.push(format!("{unanswered} sends ended as unknown after {MISSED_WITHIN:?}"));
    }
    if has_ended != ends {
        done.wrong.push("the copy was ended, or not, against what was asked for".into());
    }
    done.measured.push(format!("{unanswered} sends unanswered from {MISSED_WITHIN:?} on"));
    no_disconnect(&mut done);
    Ok(done)
}

/// A host goes off the network for 10 s.
async fn cut(host: &str, backend: Backend, plan: Plan) -> Result<Done, Skip> {
    need("test $(id -u) = 0; command -v ip unshare nsenter")?;
    // A database of this machine is on no host.
    let backend = if backend == Backend::Sqlite { backend } else { Backend::OfTopology };
    let scene = scene("distributed", &["--hosts"], backend, &plan).await;
    scene.fault(&format!("the host of {host} is cut off"));
    let unplugged = scene.platform.tell(&["cut", host]).await;
    sleep(Duration::from_secs(2)).await;
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(8)).await;
    let during = scene.recorder().acked() - before;
    let plugged = scene.platform.tell(&["heal", host]).await;
    scene.heal("it is back");
    sleep(plan.time()).await;
    let mut done = scene.finish(&plan).await;
    for step in [unplugged, plugged] {
        done.not_done(step.map(drop).map_err(Skip));
    }
    done.measured.push(format!("{during} acked in the last 8 s of it"));
    no_disconnect(&mut done);
    Ok(done)
}

pub(super) async fn module_host_cut(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    cut("message.1", backend, plan).await
}

pub(super) async fn nats_host_cut(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    cut("nats.1", backend, plan).await
}
