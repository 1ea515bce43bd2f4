//! One line of one module is changed: from the edit until it runs, and what else changed by it.

use std::time::{Duration, Instant};

use super::callers::Reader;
use super::workshop::{PROGRAMS, Workshop, changed};
use super::{Outcome, pids, seconds};
use crate::Platform;

const PROGRAM: &str = "natter-message";
/// What the module says when somebody edits a message of somebody else's, before the edit and after it.
const BEFORE: &str = "your own messages only";
const AFTER: &str = "only your own messages";

pub(super) async fn fix(
    workshop: &Workshop,
    platform: &Platform,
    reader: &Reader,
    full: Option<Duration>,
    outcome: &mut Outcome,
) {
    // What a program stands on is built with other features for it alone than for it among others, the first time.
    let first = workshop.build(&[PROGRAM]);
    let (sums, processes) = (workshop.checksums(), pids(platform).await);
    let said = reader.edit_of_anothers().await;
    outcome.demand(said.contains(BEFORE), || format!("before the fix the module says: {said}"));
    eprintln!("building the fix");
    let started = Instant::now();
    workshop.edit("one-line.patch");
    let built = workshop.build(&[PROGRAM]);
    workshop.deploy(PROGRAM);
    platform.tell(&["reload"]).await.unwrap();
    let took = started.elapsed();
    let said = reader.edit_of_anothers().await;
    outcome.demand(said.contains(AFTER), || format!("the fix does not run; the module says: {said}"));
    let alone = changed(&sums, &workshop.checksums());
    outcome.demand(alone == [PROGRAM], || format!("the fix alone changed {alone:?}"));
    let now = pids(platform).await;
    let replaced: Vec<&str> =
        processes.iter().zip(&now).filter(|(was, is)| was != is).map(|(was, _)| was.0.as_str()).collect();
    outcome.demand(replaced == ["message.1", "message.2"], || format!("replaced were {replaced:?}"));

    let before = workshop.checksums();
    eprintln!("building all programs after the fix");
    let all = workshop.build(&PROGRAMS);
    let mut others = changed(&before, &workshop.checksums());
    others.retain(|program| *program != PROGRAM);

    outcome.heading("A line of one module is changed", &["what", "figure"]);
    let from_nothing = full.map_or_else(|| "not measured".into(), seconds);
    outcome.row(&["full build of all seven programs, from nothing", &from_nothing]);
    outcome.row(&[
        "the first build of the module's program alone: libraries with the features that it needs",
        &seconds(first),
    ]);
    outcome.row(&["build of the module's program alone, after the edit", &seconds(built)]);
    outcome.row(&[
        "from the edit until both copies run it: built, deployed, replaced one after the other",
        &seconds(took),
    ]);
    if let Some(full) = full {
        let part = 100.0 * took.as_secs_f64() / full.as_secs_f64();
        outcome.row(&["- of the time of a full build", &format!("{part:.0} %")]);
    }
    outcome.row(&["programs that differ by their SHA-256 after it", &alone.join(", ")]);
    outcome.row(&["processes that were replaced", &replaced.join(", ")]);
    outcome.row(&["build of all seven programs after the same edit", &seconds(all)]);
    outcome.row(&["- programs that this changes besides", &or_none(&others)]);
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
