//! The broker, dead or frozen.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use super::no_disconnect;
use crate::{Backend, signal};

pub(super) async fn dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    // First a death that is noticed at once, then five seconds in which no start succeeds.
    scene.fault("kill -9 nats-server");
    scene.heal("it is started again");
    scene.platform.kill_bus();
    sleep(plan.time() / 3).await;
    scene.fault("kill -9 nats-server for 5 s");
    keep_dead(&scene, Duration::from_secs(5)).await;
    scene.heal("nobody kills it any more");
    sleep(plan.time() / 3).await;
    let mut done = scene.finish(&plan).await;
    no_disconnect(&mut done);
    Ok(done)
}

/// Kills every broker that is started within this time.
pub(in super::super) async fn keep_dead(scene: &Scene, how_long: Duration) {
    let (end, mut killed) = (Instant::now() + how_long, 0);
    while Instant::now() < end {
        if let Some(pid) = scene.platform.bus_pid_now().filter(|pid| *pid != killed) {
            signal(pid, "KILL");
            killed = pid;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn hangs(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    scene.fault("SIGSTOP nats-server");
    let pid = scene.platform.bus_pid();
    signal(pid, "STOP");
    sleep(Duration::from_secs(2)).await;
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(28)).await;
    let during = scene.recorder().acked() - before;
    signal(pid, "CONT");
    scene.heal("SIGCONT nats-server");
    // Clients may wait up to their longest backoff.
    sleep(Duration::from_secs(10)).await;
    let mut done = scene.finish(&plan).await;
    done.measured.push(format!("{during} acked while it hung"));
    if during > 0 {
        done.wrong.push(format!("{during} sends were acked without a broker"));
    }
    Ok(done)
}
