//! The platform as `natter up` runs it: the same tests on another topology, which `NATTER_TEST_TOPOLOGY` names.
//!
//! Then both [`Platform::standalone`](super::Platform::standalone) and
//! [`Platform::distributed`](super::Platform::distributed) are that topology. Only tests that treat the platform from
//! without, as clients do, can run so.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::{ALL, program};

/// A cluster of three NATS servers, and up to ten processes, on a machine that has other work.
pub(super) const START: Duration = Duration::from_secs(120);
/// What `natter up` says once it has started everything.
pub(super) const IS_UP: &str = "Natter is up";

/// The topology to run, unless the tests shall start the parts by themselves.
pub(super) fn chosen() -> Option<String> {
    std::env::var("NATTER_TEST_TOPOLOGY").ok().filter(|topology| !topology.is_empty())
}

pub(super) fn command<'a>(
    topology: &str,
    directory: &Path,
    database: &str,
    settings: impl Iterator<Item = &'a str>,
) -> Command {
    let mut command = Command::new(program("natter"));
    command.args(["up", topology, "--base-port", "0", "--database", database, "--data"]).arg(directory);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// A topology has its copies: a test that wants a second edge, `edge2`, finds one, or the same one twice.
pub(super) fn has_further_copy(part: &str) {
    assert!(
        part.ends_with(char::is_numeric),
        "this test starts and stops {part}, which it can't when `natter up` runs the platform"
    );
}

/// `host:port` where the edge called `edge` listens. Those who don't say which edge use different ones for TCP and
/// WebSocket, so that much goes between two of them.
pub(super) async fn address_of(directory: &Path, edge: &str, socket: &str) -> String {
    let key = format!("edge.{socket}");
    let deadline = Instant::now() + START;
    loop {
        let addresses: Vec<String> = copies(directory)
            .await
            .iter()
            .filter(|copy| copy["state"] == "ready")
            .filter_map(|copy| Some(copy["addresses"][&key].as_str()?.to_owned()))
            .collect();
        let number = edge.trim_start_matches(|c: char| !c.is_numeric());
        let wanted = match (number.parse::<usize>(), socket) {
            (Ok(number), _) => number - 1,
            (Err(_), "http") => addresses.len().saturating_sub(1),
            (Err(_), _) => 0,
        };
        if let Some(address) = addresses.get(wanted).or(addresses.last()) {
            return address.clone();
        }
        assert!(
            Instant::now() < deadline,
            "no edge is ready for {}",
            if edge == ALL { "anybody" } else { edge }
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// What `natter ps` shows.
async fn copies(directory: &Path) -> Vec<Value> {
    let output = Command::new(program("natter"))
        .args(["ps", "--json", "--data"])
        .arg(directory)
        .output()
        .await
        .unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    shown["copies"]["copies"].as_array().cloned().unwrap_or_default()
}
