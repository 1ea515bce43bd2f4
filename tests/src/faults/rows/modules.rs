//! Modules that die, freeze, or are replaced.

use std::time::Duration;

use tokio::time::sleep;

use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use super::no_disconnect;
use crate::{Backend, signal};

pub(super) async fn dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    for part in ["message", "group", "friend", "user", "message", "group"] {
        scene.kill(part).await;
        sleep(plan.time() / 5).await;
    }
    Ok(scene.finish(&plan).await)
}

pub(super) async fn dies_beside_another(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    for copy in ["message2", "group2", "friend2", "user2"] {
        scene.platform.start(copy).await;
    }
    scene.calm().await;
    for part in ["message", "group2", "friend2", "user", "message2", "group"] {
        scene.kill(part).await;
        sleep(plan.time() / 5).await;
    }
    Ok(scene.finish(&plan).await)
}

pub(super) async fn zombie(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    const FROZEN: [&str; 2] = ["message", "group"];
    // Copies that share a file share its one writer, too: one that freezes while it writes stops the other.
    let goes_on = backend != Backend::Sqlite;
    let mut scene = Scene::start(backend, &plan, &[]).await;
    for copy in ["message2", "group2"] {
        scene.platform.start(copy).await;
    }
    scene.calm().await;
    let pids = FROZEN.map(|part| scene.platform.pid(part));
    scene.fault("SIGSTOP message and group");
    for pid in pids {
        signal(pid, "STOP");
    }
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(15)).await;
    let during = scene.recorder().acked() - before;
    for pid in pids {
        signal(pid, "CONT");
    }
    scene.heal("SIGCONT message and group");
    let mut done = scene.finish(&plan).await;
    if goes_on && during == 0 {
        done.wrong.push("the other copies acked nothing meanwhile".into());
    }
    done.measured.push(format!("{during} acked by the other copies meanwhile"));
    Ok(done)
}

pub(super) async fn rolling_restart(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start_once(backend, &plan).await;
    scene.calm().await;
    for part in ["user", "friend", "group", "message"] {
        scene.fault(part);
        scene.platform.replace(part).await;
        scene.heal(part);
        sleep(plan.time() / 5).await;
    }
    let mut done = scene.finish(&plan).await;
    no_disconnect(&mut done);
    done.faultless = true;
    Ok(done)
}
