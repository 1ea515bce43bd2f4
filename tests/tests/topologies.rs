//! `natter up`: what dies comes back, what is replaced loses nothing, and nothing is left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_schemas::friend;
use natter_client::Address;
use natter_tests::history::{Bounds, Report, check};
use natter_tests::load::{Load, Running};
use natter_tests::{Backend, Person, Platform, befriend, signal};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(60);

async fn until(platform: &Platform, what: &str, done: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}\n{}", platform.logs());
        sleep(Duration::from_millis(50)).await;
    }
}

async fn pids(platform: &Platform) -> BTreeMap<String, Option<u32>> {
    platform.copies().await.into_iter().map(|shown| (shown.copy, shown.pid)).collect()
}

/// A topology of one's own, in the platform's directory.
fn file(directory: &tempfile::TempDir, text: &str) -> String {
    let path = directory.path().join("own.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// People on two edges who talk, each operation one call.
async fn talk(platform: &Platform) -> Running {
    let addresses = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let load = Load { clients: 16, per_second: 40.0, moves_per_second: 1.0, ..Load::standard(1, addresses) };
    Load { once: true, ..load }.start().await
}

/// Ends the load; nothing may be lost, repeated or seen by anybody else, and there was a load.
async fn judged(load: Running) -> Report {
    let report = check(&load.finish().await.lines(), &Bounds::default());
    let violations: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(report.figures.acked > 100, "{:?} is no load", report.figures);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_comes_back_and_keeps_its_data() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let alice = Person::register(&platform.tcp().await, "alice").await;
    let before = platform.copy("user.1").await;
    for copy in ["user.1", "user.2"] {
        signal(platform.copy(copy).await.pid.unwrap(), "KILL");
    }
    until(&platform, "user.1 is back", async || {
        let now = platform.copy("user.1").await;
        now.state == "ready" && now.pid != before.pid && now.restarts == before.restarts + 1
    })
    .await;
    until(&platform, "alice can sign in", async || {
        natter_client::Client::connect(&platform.tcp().await).await.is_ok()
            && alice.chat.call(&broker_schemas::user::GetProfile { user: None }).await.is_ok()
    })
    .await;
}

/// It may hold what all the others need, as SQLite's lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_hangs_is_ended_and_comes_back() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let before = platform.copy("message.1").await;
    signal(before.pid.unwrap(), "STOP");
    until(&platform, "message.1 is back", async || {
        let now = platform.copy("message.1").await;
        now.state == "ready" && now.pid != before.pid && now.restarts == before.restarts + 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_at_once_is_given_up_and_does_not_disturb_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let text = "about = \"a test\"\n[database]\nkind = \"sqlite\"\n\
                [[process]]\nname = \"broken\"\nparts = [\"friend\"]\nprogram = \"natter-friend\"\n\
                [process.settings.friend]\nnonsense = 1\n\
                [[process]]\nname = \"rest\"\nparts = [\"user\", \"edge\"]\nports = [\"edge.tcp\", \"edge.http\"]";
    let topology = file(&directory, text);
    let platform = Platform::up(&topology, Backend::Sqlite, &[]).await;
    Person::register(&platform.tcp().await, "alice").await;
    until(&platform, "it is given up", async || platform.copy("broken.1").await.state == "failed").await;
    assert_eq!(platform.copy("broken.1").await.restarts, 5);
    let error = platform.tell(&["start", "broken"]).await.unwrap_err();
    assert!(error.contains("broken.1: ended with exit status: 1"), "{error}");

    std::fs::write(&topology, text.replace("nonsense = 1", "")).unwrap();
    platform.tell(&["reload"]).await.unwrap();
    platform.tell(&["start", "broken"]).await.unwrap();
    until(&platform, "it is ready", async || platform.copy("broken.1").await.state == "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_module_is_replaced_under_load_and_no_call_fails() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let load = talk(&platform).await;
    let before = pids(&platform).await;
    for part in ["user", "friend", "group", "message", "admin"] {
        let said = platform.tell(&["restart", part]).await.unwrap();
        assert!(said.contains(&format!("{part}.1 replaced")), "{said}");
        sleep(Duration::from_secs(1)).await;
    }
    let after = pids(&platform).await;
    for (copy, pid) in &before {
        let is_module = !copy.starts_with("nats") && !copy.contains("edge");
        assert_eq!(after[copy] != *pid, is_module, "{copy}");
    }
    let report = judged(load).await;
    let figures = &report.figures;
    assert_eq!((figures.disconnects, report.failures.len()), (0, 0), "{figures:?} {:?}", report.failures);
    eprintln!(
        "{} acked sends, {} deliveries while six copies were replaced",
        figures.acked, figures.delivered
    );
}

/// Its clients come back to the new one, at the same address.
#[tokio::test(flavor = "multi_thread")]
async fn every_edge_is_replaced_under_load_and_nobody_misses_anything() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let addresses: Vec<Address> = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let load = Load { clients: 16, per_second: 40.0, moves_per_second: 1.0, ..Load::standard(4, addresses) };
    let load = load.start().await;
    sleep(Duration::from_secs(2)).await;
    platform.tell(&["restart", "edge"]).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    let figures = judged(load).await.figures;
    eprintln!("{} acked sends while {} clients came back", figures.acked, figures.disconnects);
    assert!(figures.disconnects >= 16, "{figures:?}");
    assert_eq!(figures.sessions_lost, 0, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_replaces_what_was_configured_otherwise_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let text = "about = \"a test\"\n[database]\nkind = \"sqlite\"\n\
                [[process]]\nname = \"user\"\nparts = [\"user\"]\n\
                [[process]]\nname = \"edge\"\nparts = [\"edge\"]\nports = [\"edge.tcp\", \"edge.http\"]\n";
    let topology = file(&directory, text);
    let platform = Platform::up(&topology, Backend::Sqlite, &[]).await;
    let before = pids(&platform).await;
    assert_eq!(platform.tell(&["reload"]).await.unwrap(), "nats.1 reloaded\n");
    assert_eq!(pids(&platform).await, before);

    let more = text.replace("parts = [\"user\"]\n", "parts = [\"user\"]\ncopies = 2\n");
    std::fs::write(&topology, format!("{more}[process.settings.edge]\nmax_connections = 7\n")).unwrap();
    signal(platform.up_pid(), "HUP");
    until(&platform, "both are as the file says", async || {
        let now = pids(&platform).await;
        now.get("user.2").is_some_and(Option::is_some) && now["edge.1"] != before["edge.1"]
    })
    .await;
    let now = pids(&platform).await;
    assert_eq!((now["user.1"], now["nats.1"]), (before["user.1"], before["nats.1"]));

    std::fs::write(&topology, text).unwrap();
    let said = platform.tell(&["reload"]).await.unwrap();
    assert!(said.contains("user.2 removed") && said.contains("edge.1 replaced"), "{said}");
    assert!(!pids(&platform).await.contains_key("user.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nats_server_of_three_dies_and_everybody_talks_on() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let addresses: Vec<Address> = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let load = Load { clients: 16, per_second: 40.0, moves_per_second: 1.0, ..Load::standard(2, addresses) };
    let load = load.start().await;
    sleep(Duration::from_secs(2)).await;
    for server in ["nats.1", "nats.2", "nats.3"] {
        let pid = platform.copy(server).await.pid.unwrap();
        signal(pid, "KILL");
        until(&platform, "the server is back", async || {
            let now = platform.copy(server).await;
            now.state == "ready" && now.pid != Some(pid)
        })
        .await;
        sleep(Duration::from_secs(3)).await;
    }
    let figures = judged(load).await.figures;
    eprintln!(
        "{} acked sends, {} deliveries while three servers died in turn",
        figures.acked, figures.delivered
    );
    assert_eq!(figures.disconnects, 0, "{figures:?}");
}

/// The smallest topology that has a standby.
const WITH_STANDBY: &str = "about = \"a test\"\n[database]\nkind = \"postgres\"\nstandby = true\n\
    [[process]]\nname = \"node\"\ncopies = 2\nports = [\"edge.tcp\", \"edge.http\"]\n\
    secrets = [\"passport.key\", \"announcement.nk\", \"admin-edge.nk\"]";

async fn is_in_role(platform: &Platform, copy: &str, role: &str) -> bool {
    platform.copy(copy).await.role.as_deref() == Some(role)
}

async fn until_in_role(platform: &Platform, copy: &str, role: &str) {
    until(platform, &format!("{copy} is {role}"), async || is_in_role(platform, copy, role).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_s_primary_dies_and_its_standby_goes_on_with_all_that_was_acked() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::up(&file(&directory, WITH_STANDBY), Backend::OfTopology, &[]).await;
    let addresses: Vec<Address> = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let load = Load { clients: 16, per_second: 40.0, moves_per_second: 1.0, ..Load::standard(5, addresses) };
    let load = load.start().await;
    sleep(Duration::from_secs(2)).await;
    until_in_role(&platform, "postgres.2", "standby, synchronous").await;
    let primary = platform.copy("postgres.1").await.pid.unwrap();
    // What a server leaves behind when it is killed, if it hung, could go on later, and write.
    let children = std::fs::read_to_string(format!("/proc/{primary}/task/{primary}/children")).unwrap();
    let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(children.len() > 3, "{children:?}");
    for child in &children {
        signal(*child, "STOP");
    }
    signal(primary, "KILL");
    until(&platform, "nothing is left of the primary", async || !children.iter().any(|pid| runs(*pid))).await;
    until(&platform, "the standby is promoted, and the former primary follows it", async || {
        is_in_role(&platform, "postgres.2", "primary").await
            && is_in_role(&platform, "postgres.1", "standby, synchronous").await
    })
    .await;
    sleep(Duration::from_secs(2)).await;
    // And back, in order.
    let said = platform.tell(&["promote"]).await.unwrap();
    assert!(said.contains("postgres.1 is the primary"), "{said}");
    sleep(Duration::from_secs(3)).await;
    let figures = judged(load).await.figures;
    eprintln!("{} acked sends while the primary changed twice", figures.acked);
    assert_eq!(figures.disconnects, 0, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_while_all_is_down_the_server_that_has_everything_goes_on_and_no_other_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let topology = file(&directory, &WITH_STANDBY.replace("copies = 2", "copies = 1"));
    let mut platform = Platform::up(&topology, Backend::OfTopology, &[]).await;
    let data = platform.directory().to_owned();
    let roles = data.join("run/postgres.roles");
    Person::register(&platform.tcp().await, "alice").await;

    // The primary's data are lost.
    platform.stop("all").await;
    std::fs::remove_dir_all(data.join("postgres.1")).unwrap();
    platform.start("all").await;
    Person::sign_in(&platform.tcp().await, "alice").await;
    until_in_role(&platform, "postgres.2", "primary").await;
    until_in_role(&platform, "postgres.1", "standby, synchronous").await;

    // All ended in the middle of a promotion: it is written down, and nothing else is done. Two servers have a primary's data.
    platform.stop("all").await;
    assert!(!data.join("postgres.2/standby.signal").exists());
    std::fs::write(&roles, r#"{"primary":1,"replicated":false}"#).unwrap();
    platform.start("all").await;
    Person::sign_in(&platform.tcp().await, "alice").await;
    assert!(data.join("postgres.2.former").exists(), "nothing starts on what the former primary had");
    until_in_role(&platform, "postgres.1", "primary").await;
    until_in_role(&platform, "postgres.2", "standby, synchronous").await;

    // An older copy was put back as the primary's data: what the standby alone has stays, until a person says what is right.
    platform.stop("all").await;
    let (now, older) = (data.join("postgres.1"), data.join("older"));
    copy(&now, &older);
    platform.start("all").await;
    Person::register(&platform.tcp().await, "bob").await;
    platform.stop("all").await;
    std::fs::remove_dir_all(&now).unwrap();
    std::fs::rename(&older, &now).unwrap();
    platform.start("all").await;
    assert_eq!(platform.copy("postgres.2").await.state, "stopped");
    assert!(platform.logs().contains("postgres.2 has more than postgres.1"), "{}", platform.logs());
    platform.stop("all").await;
    std::fs::write(&roles, r#"{"primary":2,"replicated":false}"#).unwrap();
    platform.start("all").await;
    Person::sign_in(&platform.tcp().await, "bob").await;
    until_in_role(&platform, "postgres.1", "standby, synchronous").await;
    let said = platform.tell(&["promote"]).await.unwrap();
    assert!(said.contains("postgres.1 is the primary"), "{said}");
    until(&platform, "the former primary follows", async || {
        is_in_role(&platform, "postgres.2", "standby, synchronous").await
    })
    .await;

    // Something else than the primary is broken: that is no reason to do without it.
    platform.stop("all").await;
    let (log, written) = (data.join("log/postgres.1.log"), std::fs::read_to_string(&roles).unwrap());
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    platform.refuses_to_start().await;
    assert_eq!(std::fs::read_to_string(&roles).unwrap(), written);
    assert!(!data.join("postgres.1/standby.signal").exists());
    std::fs::remove_dir(&log).unwrap();

    // The primary's data are lost, and its standby may lack something: a person has to say so.
    std::fs::remove_dir_all(data.join("postgres.1")).unwrap();
    std::fs::write(&roles, r#"{"primary":1,"replicated":false}"#).unwrap();
    let error = platform.refuses_to_start().await;
    let says = ["postgres.2 may lack", r#"if you write {"primary":2,"replicated":false} to"#];
    assert!(says.iter().all(|says| error.contains(says)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_lacks_something_is_not_promoted_in_order_and_the_primary_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let asynchronous = WITH_STANDBY.replace("standby = true", "standby = true\nsynchronous = false");
    let topology = file(&directory, &asynchronous.replace("copies = 2", "copies = 1"));
    let platform = Platform::up(&topology, Backend::OfTopology, &[]).await;
    let mut alice = Person::register(&platform.tcp().await, "alice").await;
    let mut bob = Person::register(&platform.tcp().await, "bob").await;
    befriend(&mut alice, &mut bob).await;
    until_in_role(&platform, "postgres.2", "standby").await;

    let standby = platform.copy("postgres.2").await.pid.unwrap();
    let children = std::fs::read_to_string(format!("/proc/{standby}/task/{standby}/children")).unwrap();
    let children = children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap());
    // Those that came to answer one question may be gone.
    let receives = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("walreceiver"))
    };
    let receiver = children.into_iter().find(receives).unwrap();
    signal(receiver, "STOP");
    alice.send(bob.user, "only the primary has it").await.unwrap();
    let promoted = platform.tell(&["promote"]).await;
    signal(receiver, "CONT");
    let error = promoted.unwrap_err();
    assert!(error.contains("postgres.2 lacks") && error.contains("--now"), "{error}");
    until_in_role(&platform, "postgres.1", "primary").await;
    until(&platform, "it goes on", async || platform.copy("postgres.1").await.state == "ready").await;
    Person::register(&platform.tcp().await, "carol").await;

    until(&platform, "it is promoted once it follows again", async || {
        platform.tell(&["promote"]).await.is_ok()
    })
    .await;
    Person::sign_in(&platform.tcp().await, "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_replaced_while_everybody_talks_and_the_former_ones_are_refused() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let addresses: Vec<Address> = vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await];
    let load = Load { clients: 16, per_second: 40.0, moves_per_second: 1.0, ..Load::standard(3, addresses) };
    let load = load.start().await;
    let before = pids(&platform).await;
    for holder in ["message", "user", "edge", "group"] {
        let file = platform.bus_directory().join(format!("{holder}.nk"));
        let former = std::fs::read_to_string(&file).unwrap();
        let said = platform.tell(&["rotate", holder, "--keep", "1"]).await.unwrap();
        assert!(said.ends_with(&format!("{holder}: only the new credential is accepted\n")), "{said}");
        let new = std::fs::read_to_string(&file).unwrap();
        assert!(platform.admits(&new).await && !platform.admits(&former).await, "{holder}");
    }
    assert_eq!(pids(&platform).await, before, "without a restart");

    // Passports, too: only who signs them has to be replaced, and everybody else finds the new key.
    std::fs::remove_file(platform.bus_directory().join("passport.key")).unwrap();
    platform.tell(&["reload"]).await.unwrap();
    platform.tell(&["restart", "user"]).await.unwrap();
    let alice = Person::register(&platform.tcp_of("edge1").await, "alice").await;
    alice.chat.call(&friend::ListFriends {}).await.unwrap();
    drop(Person::sign_in(&platform.tcp_of("edge2").await, "alice").await);
    let now = pids(&platform).await;
    let replaced: Vec<_> =
        now.iter().filter(|(copy, pid)| before[*copy] != **pid).map(|(copy, _)| copy).collect();
    assert_eq!(replaced, ["user.1", "user.2"]);
    let keys = std::fs::read_to_string(platform.bus_directory().join("passport.pub")).unwrap();
    assert_eq!(keys.lines().count(), 2);
    let figures = judged(load).await.figures;
    assert_eq!(figures.disconnects, 0, "{figures:?}");
    assert!(platform.tell(&["rotate", "nobody"]).await.unwrap_err().contains("nobody holds a credential"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_and_coming_and_going_costs_no_call() {
    let platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let load = talk(&platform).await;
    let said = platform.tell(&["canary", "message", "30"]).await.unwrap();
    assert!(said.contains("30 % of the calls of message go to message.canary"), "{said}");
    let before = sends(&platform).await;
    sleep(Duration::from_secs(12)).await;
    let after = sends(&platform).await;
    let all: u64 = after.values().sum::<u64>() - before.values().sum::<u64>();
    let canary = after["message.canary"] - before["message.canary"];
    eprintln!("{canary} of {all} sends went to the canary");
    assert!(all > 200, "{all} sends are no load");
    // 30 %, and five times the deviation that chance allows of so many.
    let share = 100.0 * canary as f64 / all as f64;
    assert!((share - 30.0).abs() < 500.0 * (0.21 / all as f64).sqrt(), "{share} %");

    // A reload, and a restart of the others, leave it alone.
    platform.tell(&["reload"]).await.unwrap();
    platform.tell(&["restart", "message.1"]).await.unwrap();
    until(&platform, "the canary stays", async || platform.copy("message.canary").await.state == "ready")
        .await;
    let said = platform.tell(&["canary", "message", "0"]).await.unwrap();
    assert!(said.ends_with("message.canary removed\n"), "{said}");
    assert!(!pids(&platform).await.contains_key("message.canary"));
    let report = judged(load).await;
    assert_eq!((report.figures.disconnects, report.failures.len()), (0, 0), "{:?}", report.failures);
    assert!(platform.tell(&["canary", "message", "95"]).await.unwrap_err().contains("90 % at most"));
    assert!(!pids(&platform).await.contains_key("message.canary"), "nothing is done of what is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind_however_it_ends() {
    for (name, limit) in [("INT", 30), ("TERM", 30), ("KILL", 5)] {
        let mut platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
        let pids: Vec<u32> = platform.copies().await.iter().filter_map(|shown| shown.pid).collect();
        assert!(pids.len() >= 10, "{pids:?}");
        signal(platform.up_pid(), name);
        let status = platform.up_ended(Duration::from_secs(limit)).await;
        assert_eq!(status.success(), name != "KILL", "{status}");
        let deadline = Instant::now() + Duration::from_secs(5);
        while pids.iter().any(|pid| runs(*pid)) {
            assert!(Instant::now() < deadline && name == "KILL", "after {name}: {:?}", platform.logs());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// One that hangs would otherwise be waited for.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_twice_ends_all_at_once() {
    let mut platform = Platform::up("distributed", Backend::Sqlite, &[]).await;
    let pids: Vec<u32> = platform.copies().await.iter().filter_map(|shown| shown.pid).collect();
    let hanging = platform.copy("edge.1").await.pid.unwrap();
    signal(hanging, "STOP");
    signal(platform.up_pid(), "INT");
    let waits = platform.ended_within(Duration::from_secs(3)).await;
    assert_eq!(waits, None, "the first Ctrl-C waits for a copy that hangs");
    signal(platform.up_pid(), "INT");
    let status = platform.up_ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(130));
    until(&platform, "nothing is left behind", async || !pids.iter().any(|pid| runs(*pid))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_spreads_over_the_copies_and_over_one_more() {
    let directory = tempfile::tempdir().unwrap();
    let distributed = include_str!("../../infra/topologies/distributed.toml");
    let topology = file(&directory, distributed);
    let platform = Platform::up(&topology, Backend::Sqlite, &[]).await;
    let load = talk(&platform).await;
    let two = shares_of_sends(&platform).await;
    assert!(two.len() == 2 && two.values().all(|share| *share > 0.25), "{two:?}");

    let of_message = "program = \"natter-message\"\ncopies = 2";
    assert!(distributed.contains(of_message));
    let third = distributed.replace(of_message, &of_message.replace('2', "3"));
    std::fs::write(&topology, third).unwrap();
    assert!(platform.tell(&["reload"]).await.unwrap().contains("message.3 added"));
    let three = shares_of_sends(&platform).await;
    assert!(three.len() == 3 && three.values().all(|share| *share > 0.15), "{three:?}");
    eprintln!("of the sends, with two copies {two:.2?}, with three {three:.2?}");
    let report = judged(load).await;
    assert_eq!((report.figures.disconnects, report.failures.len()), (0, 0), "{:?}", report.failures);
}

/// Which part of some seconds' sends each copy of the message module answers.
async fn shares_of_sends(platform: &Platform) -> BTreeMap<String, f64> {
    let before = sends(platform).await;
    sleep(Duration::from_secs(8)).await;
    let after = sends(platform).await;
    let made = |copy: &String| after[copy] - before[copy];
    let all: u64 = after.keys().map(made).sum();
    assert!(all > 200, "{all} sends are no load");
    after.keys().map(|copy| (copy.clone(), made(copy) as f64 / all as f64)).collect()
}

/// How many sends each copy of the message module has answered.
async fn sends(platform: &Platform) -> BTreeMap<String, u64> {
    let mut sends = BTreeMap::new();
    for shown in platform.copies().await.iter().filter(|shown| shown.copy.starts_with("message.")) {
        sends.insert(shown.copy.clone(), platform.calls_of(&shown.copy, "message", "send").await);
    }
    sends
}

/// Copies a directory as its owner has it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Whether a process runs that is not only waited for.
fn runs(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}
