//! A minute of the fault matrix: nothing that was acked is lost, whatever dies or freezes. `make faults` runs all of it.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use natter_tests::Backend;
use natter_tests::faults::{Plan, Verdict, names_a_lost_message, row};
use natter_tests::history::{Bounds, Line, check, without_last_acked};

const SEED: u64 = 7;
const SECONDS: u64 = 8;

/// Half of the stated load: the rest of the tests run beside it.
fn plan() -> Plan {
    Plan { per_second: 100.0, clients: 20, ..Plan::standard(SEED, SECONDS) }
}

/// What the clients of a row logged; fails when the row was violated.
async fn survive(name: &str) -> Vec<Line> {
    survive_on(Backend::Sqlite, name).await
}

async fn survive_on(backend: Backend, name: &str) -> Vec<Line> {
    match row(name).unwrap().run(backend, &plan()).await {
        Verdict::Judged { measured, violations, lines, .. } => {
            eprintln!("{name}, seed {SEED}: {measured}");
            assert!(violations.is_empty(), "{name}, seed {SEED}:\n{}", violations.join("\n"));
            lines
        }
        Verdict::Skipped(why) => panic!("{name} was skipped: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_dies_loses_nothing_and_a_judge_would_see_if_it_did() {
    let lines = survive("module-dies").await;
    // The same run, as if the server had acked one of its messages and lost it.
    let (without, lost) = without_last_acked(&lines).unwrap();
    let said: Vec<_> =
        check(&without, &Bounds::default()).violations.iter().map(ToString::to_string).collect();
    let named = said.iter().any(|line| names_a_lost_message(line) && line.contains(&lost.to_string()));
    assert!(named, "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_loses_nothing_and_clients_stay_connected() {
    survive("broker-dies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_call_and_disconnects_nobody() {
    survive("rolling-restart").await;
}

/// On PostgreSQL, where `NATTER_TEST_POSTGRES` names a server: there copies have more than a file between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_freezes_and_comes_back_does_nothing_twice() {
    survive_on(Backend::postgres().unwrap_or(Backend::Sqlite), "zombie").await;
}
