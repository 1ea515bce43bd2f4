//! The fault matrix: each row breaks something under load, heals it, and is judged by the history of what clients saw.

mod machine;
mod rows;
mod scene;
mod soak;

use std::path::PathBuf;
use std::time::Duration;

use crate::Backend;
use crate::history::{self, Bounds, Event, Figures, Invariant, Line, Operation, Report, Step, check};
use crate::load::REJECTED;

pub use rows::ROWS;
pub use soak::soak;

/// No process may hold more memory than this, whatever happens, in bytes.
const RESIDENT: u64 = 512 << 20;
/// No process may hold more files open than this.
const DESCRIPTORS: u64 = 1_000;
/// Fewer acked sends than this per second of a run are no load.
const LEAST_ACKED: usize = 5;

/// How a row is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Makes the load.
    pub seed: u64,
    /// About how long load and fault go on, in seconds; a fault that has a time of its own keeps it.
    pub seconds: u64,
    /// Sends per second.
    pub per_second: f64,
    /// Clients: half of them in pairs, all of them in groups.
    pub clients: usize,
    /// Without waiting for the standby of the database: to see what that costs.
    pub asynchronous: bool,
    /// Where histories are kept; only those with violations, in the system's temporary directory, when absent.
    pub keep: Option<PathBuf>,
}

impl Plan {
    /// The stated load: 40 clients in 10 pairs and 10 groups of 8, 200 sends per second.
    #[must_use]
    pub const fn standard(seed: u64, seconds: u64) -> Self {
        Self { seed, seconds, per_second: 200.0, clients: 40, asynchronous: false, keep: None }
    }

    const fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// One row of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What must hold besides the invariants, in words.
    pub bound: &'static str,
    /// The longest recovery.
    recovery: Option<Duration>,
    run: rows::Run,
}

/// What a row did, before it is judged.
#[derive(Debug, Default)]
struct Done {
    lines: Vec<Line>,
    /// What the row itself finds wrong.
    wrong: Vec<String>,
    /// What the row itself measured.
    measured: Vec<String>,
    /// With which words sends may be refused for good in this row; in the others, with none.
    refusal: Option<&'static str>,
    /// No call may fail.
    faultless: bool,
    /// How many open files are no leak here, where that is not as everywhere.
    descriptors: Option<u64>,
}

impl Done {
    /// After the first fault nothing is skipped any more: a step that could not be done is wrong, whatever it was.
    fn not_done(&mut self, step: Result<(), Skip>) {
        self.wrong.extend(step.err().map(|Skip(why)| why));
    }
}

/// Why a row can't be run here: known before anything was broken.
#[derive(Debug)]
struct Skip(String);

/// What became of a row.
#[derive(Debug)]
pub enum Verdict {
    /// Judged.
    Judged {
        /// What was measured, in words.
        measured: String,
        /// Each violation in a line; none is good.
        violations: Vec<String>,
        /// The history's figures.
        figures: Figures,
        /// What the clients logged.
        lines: Vec<Line>,
    },
    /// This machine or this database can't do it.
    Skipped(String),
}

impl Verdict {
    /// A run that did not come to its end.
    fn broke_off(why: &str) -> Self {
        let why: String = why.chars().take(300).collect();
        Self::Judged {
            measured: "-".into(),
            violations: vec![format!("the run broke off: {why}")],
            figures: Figures::default(),
            lines: Vec::new(),
        }
    }

    /// Whether something was violated.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Judged { violations, .. } if !violations.is_empty())
    }
}

/// The row of this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

impl Row {
    /// Runs the row and judges it.
    pub async fn run(&self, backend: Backend, plan: &Plan) -> Verdict {
        // In a task of its own, so that a harness that gives up counts as a violation and the next row runs.
        let mut task = tokio::task::JoinSet::new();
        let database = if backend == Backend::Sqlite { "sqlite" } else { "postgres" };
        task.spawn((self.run)(backend, plan.clone()));
        match task.join_next().await {
            Some(Ok(Ok(done))) => {
                let bounds = Bounds {
                    recovery: self.recovery,
                    resident: Some(RESIDENT),
                    descriptors: Some(done.descriptors.unwrap_or(DESCRIPTORS)),
                    growth: None,
                };
                judge(self.name, done, database, plan, &bounds)
            }
            Some(Ok(Err(Skip(why)))) => Verdict::Skipped(why),
            Some(Err(error)) => Verdict::broke_off(&error.to_string()),
            None => Verdict::broke_off("no task"),
        }
    }
}

/// Judges what a run did.
fn judge(name: &str, done: Done, database: &str, plan: &Plan, bounds: &Bounds) -> Verdict {
    let Report { violations, figures, failures, levels } = check(&done.lines, bounds);
    let mut violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
    violations.extend(done.wrong);
    violations.extend(rejected(&failures, &done.lines, done.refusal));
    if done.faultless {
        violations.extend(failed(&failures, &done.lines));
    }
    if figures.sessions_lost > 0 {
        violations.push(format!("{} sessions were declared over", figures.sessions_lost));
    }
    let least = LEAST_ACKED * usize::try_from(plan.seconds).unwrap();
    if figures.acked < least {
        violations.push(format!("{} acked sends are no load; {least} would be", figures.acked));
    }
    if figures.moved == 0 || figures.edited == 0 {
        violations.push(format!("{} moves and {} edits are no load", figures.moved, figures.edited));
    }
    let mut measured = done.measured;
    measured.extend(in_words(&figures));
    measured.extend(levels.iter().map(ToString::to_string));
    let file = format!("natter-{}-{database}-{}.jsonl", name, plan.seed);
    let kept = match &plan.keep {
        Some(folder) => Some(folder.join(file)),
        None => (!violations.is_empty()).then(|| std::env::temp_dir().join(file)),
    };
    if let Some(path) = kept {
        match history::save(&done.lines, &path) {
            Ok(()) => measured.push(format!("history in {}", path.display())),
            Err(error) => measured.push(format!("history not kept: {error}")),
        }
    }
    Verdict::Judged { measured: measured.join("; "), violations, figures, lines: done.lines }
}

/// What a history amounts to, in words.
fn in_words(figures: &Figures) -> Vec<String> {
    let seconds =
        |time: Option<Duration>| time.map_or("-".into(), |time| format!("{:.2} s", time.as_secs_f64()));
    vec![
        format!(
            "recovery {} (first send {}, last delivery {}, last move {})",
            seconds(figures.recovery),
            seconds(figures.first_success),
            seconds(figures.last_delivery),
            seconds(figures.last_move)
        ),
        format!(
            "{} acked, {} unknown, {} failed, {} moves, {} edits, {} disconnects",
            figures.acked,
            figures.unknown,
            figures.failed,
            figures.moved,
            figures.edited,
            figures.disconnects
        ),
        format!("{} MiB, {} files at most", figures.resident >> 20, figures.descriptors),
    ]
}

/// A member's message, or a move that may be made, that the server refused for good: whatever is broken, it may only be put
/// off.
fn rejected(failures: &[String], lines: &[Line], allowed: Option<&str>) -> Option<String> {
    let moves = lines.iter().filter_map(|line| match line {
        Line::Event(Event { operation: Operation::Join | Operation::Leave, why, .. }) => Some(why),
        _ => None,
    });
    let refused = failures.iter().chain(moves).filter_map(|why| why.strip_prefix(REJECTED));
    let mut refused = refused.filter(|why| allowed.is_none_or(|allowed| !why.contains(allowed)));
    let first = refused.next()?;
    Some(format!("{} operations were refused for good, such as: {first}", refused.count() + 1))
}

/// Calls that failed, where none may.
pub(crate) fn failed(failures: &[String], lines: &[Line]) -> Option<String> {
    let others = lines.iter().filter_map(|line| {
        let Line::Event(Event { operation, step, why, .. }) = line else { return None };
        let failed = match operation {
            Operation::Send => *step == Step::Info,
            Operation::Join | Operation::Leave => matches!(step, Step::Info | Step::Fail),
            // Whoever is put out of a group may not edit any more what was said there, and needn't have known.
            Operation::Edit => *step == Step::Info || *step == Step::Fail && !why.starts_with(REJECTED),
            _ => false,
        };
        failed.then_some(why)
    });
    let all: Vec<&String> = failures.iter().chain(others).collect();
    Some(format!("{} calls failed, such as: {}", all.len(), all.first()?))
}

/// Whether a line of a verdict names a message that was acked and lost.
#[must_use]
pub fn names_a_lost_message(violation: &str) -> bool {
    violation.starts_with(&format!("{:?}: ", Invariant::I1))
}
