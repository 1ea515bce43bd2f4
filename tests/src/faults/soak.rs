//! Random faults for a long time, under load: in the end nothing was violated, and memory is level.
//!
//! Of each module two copies run, and two edges. Faults hit the first ones, the broker, the link of a message module and the
//! database's server; the second ones live from the beginning to the end, so that their memory says something.

use std::time::Duration;

use natter_host::testing::free_port;
use tokio::time::{Instant, sleep};

use super::machine::{Namespace, Postgres};
use super::rows::keep_broker_dead;
use super::scene::Scene;
use super::{DESCRIPTORS, Done, Plan, RESIDENT, Skip, Verdict, judge};
use crate::history::{Bounds, Growth};
use crate::{Backend, Platform, Random, signal};

/// How often memory and files are counted.
const SAMPLE: Duration = Duration::from_secs(5);
/// How long it may take until everything is as before.
const RECOVERY: Duration = Duration::from_secs(20);

const COPIES: [&str; 5] = ["message2", "group2", "friend2", "user2", "edge2"];
const FIRST: [&str; 5] = ["message", "group", "friend", "user", "edge"];

/// Which packets of a cut link are dropped.
const WAYS: [&[&str]; 3] = [&["in", "out"], &["out"], &["in"]];

/// One thing that breaks.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(&'static str),
    /// Killed, and started again only after a while.
    Away(&'static str, Duration),
    Replace(&'static str),
    Freeze(&'static str, Duration),
    /// Both copies: nobody serves.
    FreezeBoth(usize, Duration),
    KillBroker,
    BrokerAway(Duration),
    FreezeBroker(Duration),
    /// The packets of the first message module, in both directions or one.
    Cut(&'static [&'static str], Duration),
    RestartDatabase,
}

impl Fault {
    fn pick(random: &mut Random, has_link: bool, has_server: bool) -> Self {
        let part = *random.pick(&FIRST);
        // An edge that is replaced has another port for a moment, which no client looks for.
        let module = *random.pick(&FIRST[..4]);
        let long = Duration::from_millis(1_000 + random.below(6_000));
        let short = Duration::from_millis(500 + random.below(2_500));
        match random.below(12) {
            0..=2 => Self::Kill(part),
            3 => Self::Away(part, long),
            4 => Self::Replace(module),
            5 => Self::Freeze(part, long),
            6 => Self::FreezeBoth(usize::try_from(random.below(4)).unwrap(), short),
            7 => Self::KillBroker,
            8 => Self::BrokerAway(short),
            9 => Self::FreezeBroker(long),
            10 if has_link => Self::Cut(random.pick::<&[&str]>(&WAYS), long),
            11 if has_server => Self::RestartDatabase,
            _ => Self::Kill("message"),
        }
    }
}

/// Runs for the time of the plan.
pub async fn soak(backend: Backend, plan: &Plan) -> Verdict {
    let database = if backend == Backend::Sqlite { "sqlite" } else { "postgres" };
    let time = plan.time();
    let bounds = Bounds {
        recovery: Some(RECOVERY),
        resident: Some(RESIDENT),
        descriptors: Some(DESCRIPTORS),
        growth: Some(Growth {
            warm_up: (time / 4).min(Duration::from_secs(180)),
            least: time / 3,
            resident: 8 << 20,
            part: 0.15,
            descriptors: 20,
        }),
    };
    match run(backend, plan).await {
        Ok(done) => judge("soak", done, database, plan, &bounds),
        Err(Skip(why)) => Verdict::Skipped(why),
    }
}

async fn run(backend: Backend, plan: &Plan) -> Result<Done, Skip> {
    let server = match backend {
        Backend::Sqlite => None,
        Backend::OfTopology => None,
        Backend::Postgres(_) => Some(Postgres::start()?),
    };
    let backend = server.as_ref().map_or(Backend::Sqlite, |server| Backend::Postgres(server.url.clone()));
    let namespace = Namespace::new().ok();
    let mut scene = start(backend, plan, namespace.as_ref()).await?;
    let mut random = Random::new(plan.seed.rotate_left(32));
    let (mut faults, mut undone) = (0, Vec::new());
    while scene.started.elapsed() < plan.time() {
        let calm = Duration::from_millis(6_000 + random.below(9_000));
        wait(&scene, calm).await;
        let fault = Fault::pick(&mut random, namespace.is_some(), server.is_some());
        eprintln!("{:>5} s: {fault:?}", scene.started.elapsed().as_secs());
        scene.fault(&format!("{fault:?}"));
        undone.push(apply(&mut scene, fault, namespace.as_ref(), server.as_ref()).await);
        scene.heal(&format!("{fault:?}"));
        faults += 1;
    }
    wait(&scene, Duration::from_secs(10)).await;
    let mut done = scene.end().await;
    undone.into_iter().for_each(|step| done.not_done(step));
    done.measured.push(format!("{faults} faults in {} s", plan.seconds));
    drop(server);
    Ok(done)
}

/// Two copies of everything, and load on both edges.
async fn start(backend: Backend, plan: &Plan, namespace: Option<&Namespace>) -> Result<Scene, Skip> {
    let settings = format!("edge.tcp=127.0.0.1:{}", free_port());
    let mut platform = Platform::distributed_with(backend, &[&settings]).await;
    let second = format!("exec \"$0\" \"$@\" --set edge.tcp=127.0.0.1:{}", free_port());
    platform.wrap("edge2", &["bash", "-c", &second]);
    for copy in COPIES {
        platform.start(copy).await;
    }
    if let Some(namespace) = namespace {
        platform.wrap_in_namespace("message", &namespace.name, &namespace.outside());
        platform.replace("message").await;
    }
    let addresses = vec![platform.tcp_of("edge").await, platform.tcp_of("edge2").await];
    Ok(Scene::begin_at(platform, plan, addresses, false).await)
}

async fn wait(scene: &Scene, how_long: Duration) {
    let end = Instant::now() + how_long;
    while Instant::now() < end {
        scene.sample();
        sleep(SAMPLE.min(end.saturating_duration_since(Instant::now()))).await;
    }
}

async fn apply(
    scene: &mut Scene,
    fault: Fault,
    namespace: Option<&Namespace>,
    server: Option<&Postgres>,
) -> Result<(), Skip> {
    let freeze = async |pids: Vec<u32>, how_long| {
        pids.iter().for_each(|pid| signal(*pid, "STOP"));
        sleep(how_long).await;
        pids.iter().for_each(|pid| signal(*pid, "CONT"));
    };
    match fault {
        Fault::Kill(part) => {
            scene.platform.kill(part).await;
            scene.platform.start(part).await;
        }
        Fault::Away(part, how_long) => {
            scene.platform.kill(part).await;
            sleep(how_long).await;
            scene.platform.start(part).await;
        }
        Fault::Replace(part) => scene.platform.replace(part).await,
        Fault::Freeze(part, how_long) => freeze(vec![scene.platform.pid(part)], how_long).await,
        Fault::FreezeBoth(which, how_long) => {
            let pids = vec![scene.platform.pid(FIRST[which]), scene.platform.pid(COPIES[which])];
            freeze(pids, how_long).await;
        }
        Fault::KillBroker => scene.platform.kill_bus(),
        Fault::BrokerAway(how_long) => keep_broker_dead(scene, how_long).await,
        Fault::FreezeBroker(how_long) => freeze(vec![scene.platform.bus_pid()], how_long).await,
        Fault::Cut(directions, how_long) => {
            if let Some(namespace) = namespace {
                namespace.drop_packets(directions)?;
                sleep(how_long).await;
                namespace.heal()?;
            }
        }
        Fault::RestartDatabase => {
            if let Some(server) = server {
                tokio::task::block_in_place(|| server.restart())?;
            }
        }
    }
    Ok(())
}
