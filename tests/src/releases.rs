//! Changing parts while people talk: a module fixed, every part replaced in turn, a release with a new version of a method
//! deployed, on a topology as `natter up` runs it, under load and under the eyes of the judge.

mod callers;
mod calls;
mod edges;
mod fix;
mod release;
mod rolling;
mod workshop;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::failed;
use crate::history::{Bounds, Event, Figures, Line, Operation, Step, check};
use crate::load::{Load, REJECTED, Running};
use crate::{Backend, Platform, Shown};

pub use workshop::{apply, patch, root};

use calls::{Call, calls};
use workshop::{PROGRAMS, Workshop};

/// Fewer acked sends than this per second are no load.
const LEAST_ACKED: usize = 100;

/// How it is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the programs are built.
    pub profile: String,
    /// Where sources and programs are kept.
    pub folder: PathBuf,
    /// What was built there before stays: then nothing says how long a full build takes.
    pub warm: bool,
    /// Makes the load.
    pub seed: u64,
    /// How long nothing is changed, between two changes.
    pub calm: Duration,
    /// How long two releases serve side by side.
    pub side_by_side: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be read in `docs/FIGURES.md`.
    pub text: String,
    /// What is not as it must be.
    pub wrong: Vec<String>,
}

impl Outcome {
    fn heading(&mut self, text: &str, columns: &[&str]) {
        let rule = "---|".repeat(columns.len());
        self.text += &format!("\n### {text}\n\n| {} |\n|{rule}\n", columns.join(" | "));
    }

    fn row(&mut self, cells: &[&str]) {
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    fn demand(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// Does all of it.
///
/// # Panics
/// When something can't be done at all: a patch that doesn't apply, a build that fails, a part that doesn't start.
pub async fn run(backend: Backend, plan: &Plan) -> Outcome {
    let mut outcome = Outcome::default();
    let workshop = Workshop::open(&plan.folder, &plan.profile, plan.warm);
    eprintln!("building all programs");
    let full = workshop.build(&PROGRAMS);
    for program in PROGRAMS {
        workshop.deploy(program);
    }
    let platform = Platform::up_from(workshop.deployed(), "distributed", backend, &[]).await;
    let reader = callers::Reader::prepare(&platform.address_of("edge1", "tcp").await).await;

    let full = (!plan.warm).then_some(full);
    fix::fix(&workshop, &platform, &reader, full, &mut outcome).await;
    eprintln!("building the release");
    workshop.edit("message-v2.patch");
    let built = workshop.build(&["natter-message"]);
    let next = workshop.keep("natter-message", "natter-message-next");

    let load = Load { once: true, ..standard(&platform, plan).await }.start().await;
    let old = reader.start(callers::V1);
    let restarted = rolling::each_module(&platform, &load, plan).await;
    let release = release::Release { workshop: &workshop, platform: &platform, program: &next };
    let released = release.run(&load, &reader, plan, &mut outcome).await;
    let old = old.finish().await;
    let judged = Judged::of(load, "while modules were changed", &mut outcome).await;
    judged.demand_faultless(&mut outcome);
    rolling::report(&restarted, &judged, &mut outcome);
    released.report(built, &judged, &old, &mut outcome);

    let load = Load { names: "late", ..standard(&platform, plan).await }.start().await;
    let restarted = edges::each_edge_and_server(&platform, &load, plan).await;
    let judged = Judged::of(load, "while edges and NATS servers were changed", &mut outcome).await;
    edges::report(&restarted, &judged, &mut outcome);
    outcome
}

async fn standard(platform: &Platform, plan: &Plan) -> Load {
    Load::standard(plan.seed, vec![platform.tcp_of("edge1").await, platform.tcp_of("edge2").await])
}

/// What a load amounts to, and what the judge says of it.
struct Judged {
    lines: Vec<Line>,
    figures: Figures,
    calls: Vec<Call>,
    failed: Option<String>,
}

impl Judged {
    async fn of(load: Running, when: &str, outcome: &mut Outcome) -> Self {
        let lines = load.finish().await.lines();
        let report = check(&lines, &Bounds::default());
        outcome.wrong.extend(report.violations.iter().map(|violation| format!("{when}: {violation}")));
        let failed = failed(&report.failures, &lines)
            .map(|failed| format!("{when}: {failed}; failures were at {}", seconds_of_failures(&lines)));
        let calls = calls(&lines);
        let seconds = calls.last().map_or(0, |call| call.ended / 1_000_000);
        let least = LEAST_ACKED * usize::try_from(seconds).unwrap();
        let acked = report.figures.acked;
        outcome.demand(acked > least, || format!("{when}: {acked} acked sends in {seconds} s are no load"));
        Self { calls, figures: report.figures, failed, lines }
    }

    /// No call failed, and nobody lost a connection.
    fn demand_faultless(&self, outcome: &mut Outcome) {
        outcome.wrong.extend(self.failed.clone());
        let lost = self.figures.disconnects;
        outcome.demand(lost == 0, || format!("{lost} connections were lost while modules were changed"));
    }
}

/// In which seconds of a history something failed that may have been tried again: to see which change it belongs to.
fn seconds_of_failures(lines: &[Line]) -> String {
    let is_call = |event: &&Event| {
        matches!(event.operation, Operation::Send | Operation::Edit | Operation::Join | Operation::Leave)
    };
    let events =
        lines.iter().filter_map(|line| if let Line::Event(event) = line { Some(event) } else { None });
    let failed = events.filter(is_call).filter(|event| {
        event.step == Step::Info || event.step == Step::Fail && !event.why.starts_with(REJECTED)
    });
    let seconds: BTreeSet<_> = failed.map(|event| event.at / 1_000_000).collect();
    let seconds = seconds.into_iter().map(|second| format!("{second} s"));
    seconds.take(20).collect::<Vec<_>>().join(", ")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Which process each copy has.
async fn pids(platform: &Platform) -> Vec<(String, Option<u32>)> {
    let copies: Vec<Shown> = platform.copies().await;
    copies.into_iter().map(|shown| (shown.copy, shown.pid)).collect()
}
