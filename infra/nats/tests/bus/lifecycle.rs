use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use broker_schemas::permission::Holder;
use natter_host::testing::free_port;
use natter_nats::{Bus, Options, Server};
use tokio::time::sleep;

use crate::fixture::{Running, any_port, bus, program};

fn pid(bus: &Bus) -> Option<u32> {
    fs::read_to_string(bus.dir().join("nats-server.pid")).ok()?.trim().parse().ok()
}

fn runs(pid: u32) -> bool {
    // The command line of a process that ended, and that nobody waited for, is empty.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "not in 10 s: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// What a process that was killed leaves behind.
async fn leftover(bus: &Bus) -> Child {
    let server = Command::new(program().await).arg("-c").arg(bus.conf_path()).spawn().unwrap();
    until("a server runs", || pid(bus) == Some(server.id())).await;
    server
}

#[tokio::test]
async fn a_server_that_dies_comes_back_at_the_same_address() {
    let running = Running::start().await;
    let client = running.connect(Holder::Edge).await;
    let url = running.server.client_url().to_owned();
    for _ in 0..2 {
        let before = pid(&running.bus).unwrap();
        kill(before);
        until("another server runs", || pid(&running.bus).is_some_and(|pid| pid != before && runs(pid)))
            .await;
        assert!(!runs(before));
        until("the client is back", || client.connection_state() == async_nats::connection::State::Connected)
            .await;
        let again = running.connect(Holder::Operator).await;
        assert_eq!(format!("nats://127.0.0.1:{}", again.server_info().port), url);
    }
    running.server.shutdown().await;
}

#[tokio::test]
async fn nothing_runs_after_shutdown_nor_after_drop() {
    for graceful in [true, false] {
        let running = Running::start().await;
        let pid = pid(&running.bus).unwrap();
        assert!(runs(pid));
        let address = running.server.client_url().trim_start_matches("nats://").to_owned();
        if graceful {
            running.server.shutdown().await;
            assert!(!runs(pid));
            let log = fs::read_to_string(running.bus.log_path()).unwrap();
            assert!(log.contains("Server Exiting"), "{log}");
        } else {
            drop(running.server);
            until("the server ended", || !runs(pid)).await;
        }
        // The kernel closes a killed process's files after its memory is gone.
        until("nobody listens", || TcpStream::connect(&address).is_err()).await;
    }
}

#[tokio::test]
async fn the_terminals_interrupt_does_not_reach_it() {
    let running = Running::start().await;
    let pid = pid(&running.bus).unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let group = stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap();
    assert_eq!(group, pid.to_string());
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_leftover_server_is_stopped_first() {
    let (_dir, bus) = bus(&Options { port: free_port(), ..Options::default() });
    let mut old = leftover(&bus).await;
    let server = Server::start(&bus, None).await.unwrap();
    assert!(!runs(old.id()));
    assert_ne!(pid(&bus), Some(old.id()));
    old.wait().unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn a_process_that_took_over_the_id_is_left_alone() {
    let (_dir, bus) = bus(&any_port());
    let (_other_dir, other_bus) = self::bus(&any_port());
    let sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    for mut innocent in [sleeper, leftover(&other_bus).await] {
        fs::write(bus.dir().join("nats-server.pid"), innocent.id().to_string()).unwrap();
        let server = Server::start(&bus, None).await.unwrap();
        assert!(runs(innocent.id()));
        server.shutdown().await;
        innocent.kill().unwrap();
        innocent.wait().unwrap();
    }
}

#[tokio::test]
async fn one_bus_has_one_server() {
    let running = Running::start().await;
    let error = Server::start(&running.bus, None).await.unwrap_err();
    assert!(error.to_string().starts_with("another process runs the server of"), "{error}");
    assert!(runs(pid(&running.bus).unwrap()));
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (_dir, bus) = bus(&Options { port, ..Options::default() });
    let start = Instant::now();
    let error = format!("{:#}", Server::start(&bus, None).await.unwrap_err());
    assert!(error.contains("address already in use"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));

    fs::write(bus.conf_path(), "listen: nowhere").unwrap();
    let error = format!("{:#}", Server::start(&bus, None).await.unwrap_err());
    assert!(error.contains("nowhere"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_no_recent_server_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    // The shell writes it: a file that this process has open can't be run while another test forks.
    let program = |name: &str, prints: &str| {
        let path = dir.path().join(name);
        let script = r#"printf '#!/bin/sh\necho "%s"\n' "$1" >"$2" && chmod +x "$2""#;
        let made = Command::new("sh").args(["-c", script, "sh", prints]).arg(&path).status().unwrap();
        assert!(made.success());
        path
    };
    let old = natter_nats::find(Some(&program("old", "nats-server: v2.9.25"))).await.unwrap_err().to_string();
    assert!(old.contains("2.10") && old.contains("make nats-server") && old.contains("old is 2.9"), "{old}");
    let other = natter_nats::find(Some(&program("other", "hello"))).await.unwrap_err().to_string();
    assert!(other.contains("not a nats-server"), "{other}");
    let none = natter_nats::find(Some(Path::new("/nowhere/nats-server"))).await.unwrap_err().to_string();
    assert!(none.contains("/nowhere/nats-server"), "{none}");

    let new = program("new", "nats-server: v3.0.0");
    assert_eq!(natter_nats::find(Some(&new)).await.unwrap(), new);
}
