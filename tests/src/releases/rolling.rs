//! Every module is replaced in turn.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::calls::worst;
use super::{Judged, Outcome, Plan, millis, seconds};
use crate::Platform;
use crate::history::Micros;
use crate::load::Running;

const MODULES: [&str; 5] = ["user", "friend", "group", "message", "admin"];

/// What was replaced, and when.
pub(super) struct Restarted {
    pub(super) what: &'static str,
    copies: usize,
    took: Duration,
    window: (Micros, Micros),
}

pub(super) async fn each_module(platform: &Platform, load: &Running, plan: &Plan) -> Vec<Restarted> {
    let mut all = Vec::new();
    for part in MODULES {
        all.push(restart(platform, load, plan, part).await);
    }
    all
}

/// Says what is done next, and when, as the history counts.
pub(super) fn note(load: &Running, what: &str) {
    eprintln!("{:6.1} s: {what}", Duration::from_micros(load.recorder().now()).as_secs_f64());
}

/// Replaces all copies of a process, one after the other.
pub(super) async fn restart(
    platform: &Platform,
    load: &Running,
    plan: &Plan,
    what: &'static str,
) -> Restarted {
    sleep(plan.calm).await;
    note(load, &format!("restarting {what}"));
    let (begun, started) = (load.recorder().now(), Instant::now());
    let said = platform.tell(&["restart", what]).await.unwrap();
    let took = started.elapsed();
    Restarted { what, copies: said.lines().count(), took, window: (begun, load.recorder().now()) }
}

pub(super) fn report(all: &[Restarted], judged: &Judged, outcome: &mut Outcome) {
    outcome.heading(
        "Every module is replaced in turn, under load",
        &["module", "copies", "time until all are replaced", "slowest call meanwhile"],
    );
    rows(all, judged, outcome);
}

pub(super) fn rows(all: &[Restarted], judged: &Judged, outcome: &mut Outcome) {
    for Restarted { what, copies, took, window } in all {
        outcome.demand(*copies > 0, || format!("no copy of {what} was replaced"));
        let slowest = worst(&judged.calls, *window);
        outcome.row(&[what, &copies.to_string(), &seconds(*took), &millis(slowest)]);
    }
}
