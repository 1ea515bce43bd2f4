//! Each row: what is broken, for how long, and what it has to do with the load.

use std::pin::Pin;
use std::time::Duration;

use broker_schemas::message::Recipient;
use natter_client::{Address, Event};
use tokio::time::{Instant, sleep, timeout};

use super::machine::{Cgroup, Namespace, Postgres, SmallDisk, free_port};
use super::{Done, Plan, Row, Skip};
use crate::history::{Event as Logged, Line, Mark, Operation, Recorder, Step};
use crate::load::{Load, Running};
use crate::{Backend, Person, Platform, Wire, befriend, signal};

/// Runs a row.
pub(super) type Run = fn(Backend, Plan) -> Pin<Box<dyn Future<Output = Result<Done, Skip>> + Send>>;

macro_rules! rows {
    ($($name:literal, $bound:literal, $recovery:expr, $run:ident;)*) => {
        /// Every row, in the order of RELIABILITY.md.
        pub const ROWS: &[Row] = &[$(Row {
            name: $name,
            bound: $bound,
            recovery: $recovery,
            run: |backend, plan| Box::pin($run(backend, plan)),
        }),*];
    };
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

rows! {
    "module-dies", "3 s", seconds(3), module_dies;
    "module-dies-second-copy", "3 s", seconds(3), module_dies_beside_another;
    "death-at-a-point", "delivered in 5 s, once", seconds(5), death_at_a_point;
    "zombie", "no seq used twice", None, zombie;
    "broker-dies", "10 s, client sockets stay open", seconds(10), broker_dies;
    "broker-hangs", "retryable errors, no false ack", None, broker_hangs;
    "edge-dies", "30 s", seconds(30), edge_dies;
    "half-open", "reaped in 35 s", None, half_open;
    "partition", "10 s after heal", seconds(10), partition;
    "slow-client", "cut at 1 MiB queued; the others' p99 at most doubles", None, slow_client;
    "disk-full", "refused, nothing acked lost, heals without restart", seconds(10), disk_full;
    "database-restarts", "10 s", seconds(10), database_restarts;
    "clock-skew", "order unchanged", None, clock_skew;
    "rolling-restart", "0 failed calls, 0 disconnects", None, rolling_restart;
    "memory", "sheds, no kill", None, memory;
}

/// The platform under load.
struct Scene {
    platform: Platform,
    load: Running,
    started: Instant,
}

impl Scene {
    async fn start(backend: Backend, plan: &Plan, settings: &[&str]) -> Self {
        Self::start_with(backend, plan, settings, false).await
    }

    async fn start_with(backend: Backend, plan: &Plan, settings: &[&str], once: bool) -> Self {
        let platform = Platform::distributed_with(backend, settings).await;
        let addresses = vec![platform.tcp().await];
        Self { load: load(plan, addresses, once).start().await, platform, started: Instant::now() }
    }

    fn recorder(&self) -> &Recorder {
        self.load.recorder()
    }

    /// The time that both ends of a run have, so that there is something to compare.
    async fn calm(&self) {
        sleep(Duration::from_secs(2)).await;
        self.sample();
    }

    fn fault(&self, what: &str) {
        self.recorder().mark(Mark::Fault, what);
    }

    fn heal(&self, what: &str) {
        self.recorder().mark(Mark::Heal, what);
    }

    fn sample(&self) {
        for (part, usage) in self.platform.usage() {
            self.recorder().sample(part, usage.resident, usage.descriptors);
        }
    }

    /// Kills a part, and starts it again as its supervisor would.
    async fn kill(&mut self, part: &'static str) {
        self.fault(part);
        self.heal(part);
        self.platform.kill(part).await;
        self.platform.start(part).await;
    }

    /// Lets the load go on until the plan's time is over, and gathers what there is to judge.
    async fn finish(mut self, plan: &Plan) -> Done {
        sleep(plan.time().saturating_sub(self.started.elapsed())).await;
        self.calm().await;
        let recorder = self.load.finish().await;
        for (part, usage) in self.platform.usage() {
            recorder.sample(part, usage.resident, usage.descriptors);
        }
        let died = self.platform.died();
        let wrong = died.iter().map(|part| format!("{part} ended by itself:\n{}", self.platform.logs()));
        Done { wrong: wrong.collect(), lines: recorder.lines(), ..Done::default() }
    }
}

fn load(plan: &Plan, addresses: Vec<Address>, once: bool) -> Load {
    Load { clients: plan.clients, per_second: plan.per_second, once, ..Load::standard(plan.seed, addresses) }
}

fn count(lines: &[Line], operation: Operation, step: Step) -> usize {
    let is = |line: &&Line| matches!(line, Line::Event(event) if event.operation == operation && event.step == step);
    lines.iter().filter(is).count()
}

/// Client sockets have to stay open.
fn no_disconnect(done: &mut Done) {
    let lost: Vec<&Logged> = done
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Event(event) if event.operation == Operation::Resume && event.step == Step::Info => {
                Some(event)
            }
            _ => None,
        })
        .collect();
    if let Some(first) = lost.first() {
        done.wrong.push(format!("{} clients were disconnected, such as: {}", lost.len(), first.why));
    }
}

async fn module_dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    for part in ["message", "friend", "message", "user"] {
        scene.kill(part).await;
        sleep(plan.time() / 5).await;
    }
    Ok(scene.finish(&plan).await)
}

async fn module_dies_beside_another(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    for copy in ["message2", "friend2", "user2"] {
        scene.platform.start(copy).await;
    }
    scene.calm().await;
    for part in ["message", "friend2", "message2", "user"] {
        scene.kill(part).await;
        sleep(plan.time() / 5).await;
    }
    Ok(scene.finish(&plan).await)
}

async fn death_at_a_point(_: Backend, _: Plan) -> Result<Done, Skip> {
    Err(Skip("needs failpoints in the message module, which has none yet".into()))
}

async fn zombie(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    scene.platform.start("message2").await;
    scene.calm().await;
    let pid = scene.platform.pid("message");
    scene.fault("SIGSTOP message");
    signal(pid, "STOP");
    let before = scene.recorder().acked();
    sleep(Duration::from_secs(15)).await;
    let during = scene.recorder().acked() - before;
    signal(pid, "CONT");
    scene.heal("SIGCONT message");
    let mut done = scene.finish(&plan).await;
    done.measured.push(format!("{during} acked by the other copy meanwhile"));
    Ok(done)
}

async fn broker_dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let scene = Scene::start(backend, &plan, &[]).await;
    scene.calm().await;
    // First a death that is noticed at once, then five seconds in which no start succeeds.
    scene.fault("kill -9 nats-server");
    scene.heal("it is started again");
    scene.platform.kill_bus();
    sleep(plan.time() / 3).await;
    scene.fault("kill -9 nats-server for 5 s");
    let (end, mut killed) = (Instant::now() + Duration::from_secs(5), 0);
    while Instant::now() < end {
        let pid = scene.platform.bus_pid();
        if pid != killed {
            scene.platform.kill_bus();
            killed = pid;
        }
        sleep(Duration::from_millis(50)).await;
    }
    scene.heal("nobody kills it any more");
    sleep(plan.time() / 3).await;
    let mut done = scene.finish(&plan).await;
    no_disconnect(&mut done);
    Ok(done)
}

async fn broker_hangs(backend: Backend, plan: Plan) -> Result<Done, Skip> {
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
    if during > 0 {
        done.wrong.push(format!("{during} sends were acked without a broker"));
    }
    Ok(done)
}

async fn edge_dies(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let port = free_port().map_err(|error| Skip(error.to_string()))?;
    let mut scene = Scene::start(backend, &plan, &[&format!("edge.tcp=127.0.0.1:{port}")]).await;
    scene.calm().await;
    for _ in 0..2 {
        scene.kill("edge").await;
        sleep(plan.time() / 3).await;
    }
    Ok(scene.finish(&plan).await)
}

/// A client whose network is gone: nobody says goodbye. Its friend sees it go offline.
async fn half_open(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let namespace = Namespace::new()?;
    let scene = Scene::start(backend, &plan, &[]).await;
    let address = scene.platform.address("tcp").await;
    let tcp = scene.platform.tcp().await;
    let (mut alice, mut bob) = (Person::register(&tcp, "alice").await, Person::register(&tcp, "bob").await);
    befriend(&mut alice, &mut bob).await;
    let watched = bob.user;
    drop(bob);
    let online = |wanted: bool| {
        move |event| {
            matches!(event, Event::Presence(p) if p.user == watched && p.online == wanted).then_some(())
        }
    };
    timeout(Duration::from_secs(30), async { alice.event(online(false)).await }).await.ok();
    // Bob again, from within the namespace.
    let port = address.rsplit(':').next().unwrap_or_default().to_owned();
    let login = format!(
        r#"{{"id":1,"call":"user.login","body":{{"name":"bob","password":"{}"}}}}"#,
        Person::password()
    );
    let script = format!("exec 3<>/dev/tcp/{}/{port}; echo '{login}' >&3; exec cat <&3", namespace.outside());
    let mut bob = tokio::process::Command::new("ip")
        .args(["netns", "exec", &namespace.name, "bash", "-c", &script])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Skip(error.to_string()))?;
    timeout(Duration::from_secs(10), alice.event(online(true)))
        .await
        .map_err(|_| Skip("the client in the namespace does not come online".into()))?;
    scene.calm().await;
    namespace.cut()?;
    let cut = Instant::now();
    let offline = timeout(Duration::from_secs(60), async {
        // A person waits 10 s for anything; this is about more.
        loop {
            if let Some(natter_client::Update::Event(event)) = alice.updates.next().await
                && online(false)(event).is_some()
            {
                return;
            }
        }
    });
    let offline = offline.await;
    let took = cut.elapsed();
    let _ = bob.kill().await;
    let mut done = scene.finish(&plan).await;
    if offline.is_err() || took > Duration::from_secs(35) {
        done.wrong.push(format!("a half-open client was not reaped within 35 s (waited {took:.1?})"));
    }
    done.measured.push(format!("reaped and its friend told after {:.1} s", took.as_secs_f64()));
    Ok(done)
}

/// The message module behind a link on which packets are dropped: both ways, what it says, what it hears.
async fn partition(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let namespace = Namespace::new()?;
    let mut scene = Scene::start(backend, &plan, &[]).await;
    let outside =
        |url: &str| url.replace("127.0.0.1", &namespace.outside()).replace("localhost", &namespace.outside());
    let script = format!(
        "exec \"$0\" \"$@\" --set 'bus.url={}' --set 'database.url={}'",
        outside(scene.platform.bus_url()),
        outside(scene.platform.database())
    );
    scene.platform.wrap("message", &["ip", "netns", "exec", &namespace.name, "bash", "-c", &script]);
    scene.platform.replace("message").await;
    scene.calm().await;
    let mut measured = Vec::new();
    for directions in [&["in", "out"][..], &["out"], &["in"]] {
        scene.fault(&format!("drop {directions:?}"));
        namespace.drop_packets(directions)?;
        let before = scene.recorder().acked();
        sleep(Duration::from_secs(12)).await;
        measured.push(format!("{} acked while {directions:?} dropped", scene.recorder().acked() - before));
        namespace.heal()?;
        scene.heal("packets pass again");
        sleep(Duration::from_secs(12)).await;
    }
    let mut done = scene.finish(&plan).await;
    done.measured.append(&mut measured);
    Ok(done)
}

/// One that never reads, and 10 MB for it.
async fn slow_client(backend: Backend, plan: Plan) -> Result<Done, Skip> {
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
    for _ in 0..TEXTS {
        let id = uuid::Uuid::now_v7();
        let sent = alice.chat.send(Recipient::User(to), id, &text, Duration::from_secs(10)).await;
        sent.map_err(|error| Skip(format!("the flood failed: {error}")))?;
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

async fn disk_full(backend: Backend, plan: Plan) -> Result<Done, Skip> {
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

async fn database_restarts(backend: Backend, plan: Plan) -> Result<Done, Skip> {
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
async fn clock_skew(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let library = super::machine::sh("ls /usr/lib/*/faketime/libfaketimeMT.so.1 | head -1")
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

async fn rolling_restart(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start_with(backend, &plan, &[], true).await;
    scene.calm().await;
    for part in ["user", "friend", "message"] {
        scene.fault(part);
        scene.platform.replace(part).await;
        scene.heal(part);
        sleep(plan.time() / 5).await;
    }
    let mut done = scene.finish(&plan).await;
    no_disconnect(&mut done);
    let failed =
        count(&done.lines, Operation::Send, Step::Fail) + count(&done.lines, Operation::Send, Step::Info);
    if failed > 0 {
        let why = done.lines.iter().find_map(|line| match line {
            Line::Event(Logged { operation: Operation::Send, why, .. }) if !why.is_empty() => {
                Some(why.clone())
            }
            _ => None,
        });
        done.wrong.push(format!("{failed} calls failed, such as: {}", why.unwrap_or_default()));
    }
    Ok(done)
}

/// The edge in 512 MiB, and people who never read while others write to them.
async fn memory(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    const PEOPLE: usize = 5;
    const CONNECTIONS: usize = 100;
    const TEXTS: usize = 300;
    let group = Cgroup::new(512)?;
    let settings = ["edge.max_connections_per_user=200", "user.sessions_per_user=1000"];
    let mut platform = Platform::prepare_distributed(backend, &settings).await;
    platform
        .wrap("edge", &["bash", "-c", &format!("echo $$ > {}/cgroup.procs; exec \"$0\" \"$@\"", group.path)]);
    platform.start_distributed().await;
    let addresses = vec![platform.tcp().await];
    let scene =
        Scene { load: load(&plan, addresses, false).start().await, platform, started: Instant::now() };
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
    let peak =
        super::machine::sh(&format!("cat {}/memory.max_usage_in_bytes", group.path)).unwrap_or_default();
    let mut done = scene.finish(&plan).await;
    let peak = peak.parse::<u64>().unwrap_or(0) >> 20;
    done.measured.push(format!("edge's group held {peak} MiB at most, of 512"));
    Ok(done)
}
