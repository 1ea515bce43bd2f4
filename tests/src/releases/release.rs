//! A release of one module, with a second version of a method: first a copy that gets a share of the calls, then one of the two
//! copies, then both.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::callers::{Calls, Reader, V1, V2};
use super::rolling::note;
use super::workshop::Workshop;
use super::{Judged, Outcome, Plan, millis, seconds};
use crate::Platform;
use crate::load::Running;

const PART: &str = "message";
const CANARY_PERCENT: &str = "20";
/// What the modules of both releases call themselves.
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];
/// The calls that are counted by copy: sends of the load, and both versions of the method.
const METHODS: [&str; 3] = ["send", "unread", "v2.unread"];

pub(super) struct Release<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) platform: &'a Platform,
    /// The new program.
    pub(super) program: &'a Path,
}

/// What a copy answered while two releases served.
struct Share {
    stage: &'static str,
    copy: &'static str,
    version: String,
    calls: [u64; 3],
}

pub(super) struct Released {
    shares: Vec<Share>,
    /// From the moment the new program is in its place until all copies run it, without the time side by side.
    took: Duration,
    new: Calls,
}

impl Release<'_> {
    pub(super) async fn run(
        &self,
        load: &Running,
        reader: &Reader,
        plan: &Plan,
        outcome: &mut Outcome,
    ) -> Released {
        let early = reader.call(V2).await;
        outcome.demand(early.is_err(), || format!("{} was there before its release", V2.call));
        sleep(plan.calm).await;
        note(load, &format!("{CANARY_PERCENT} % to the new release, for {:?}", plan.side_by_side));
        let program = self.program.to_str().unwrap();
        self.tell(&["canary", PART, CANARY_PERCENT, "--program", program]).await;
        let stage = "a share of the calls to a canary";
        let mut shares = self.watch(stage, &["message.1", "message.2", "message.canary"], plan).await;
        self.tell(&["canary", PART, "0"]).await;
        sleep(plan.calm).await;

        note(load, &format!("one copy is of the new release, for {:?}", plan.side_by_side));
        let started = Instant::now();
        self.workshop.deploy_kept(self.program, "natter-message");
        self.tell(&["restart", "message.1"]).await;
        let first = started.elapsed();
        let new = reader.start(V2);
        shares.extend(self.watch("one copy of each release", &["message.1", "message.2"], plan).await);
        note(load, "the other copy too");
        let started = Instant::now();
        let said = self.tell(&["reload"]).await;
        let took = first + started.elapsed();
        let only_the_other = said.contains("message.2 replaced") && !said.contains("message.1 replaced");
        outcome.demand(only_the_other, || format!("the rest of the release replaced: {said}"));
        shares.extend(self.watch("both copies of the new release", &["message.1", "message.2"], plan).await);
        demand_both_served(&shares, outcome);
        let acked = load.recorder().acked();
        outcome.demand(acked > 0, || "nothing was sent".into());
        Released { shares, took, new: new.finish().await }
    }

    async fn tell(&self, arguments: &[&str]) -> String {
        self.platform.tell(arguments).await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// What each copy answers while nothing is changed.
    async fn watch(&self, stage: &'static str, copies: &[&'static str], plan: &Plan) -> Vec<Share> {
        let mut before = Vec::new();
        for copy in copies {
            before.push(self.answered(copy).await);
        }
        sleep(plan.side_by_side).await;
        let mut shares = Vec::new();
        for (copy, before) in copies.iter().zip(before) {
            let after = self.answered(copy).await;
            let calls = std::array::from_fn(|method| after[method] - before[method]);
            let version = self.platform.copy(copy).await.version;
            shares.push(Share { stage, copy, version, calls });
        }
        shares
    }

    async fn answered(&self, copy: &str) -> [u64; 3] {
        let mut calls = [0; 3];
        for (calls, method) in calls.iter_mut().zip(METHODS) {
            *calls = self.platform.calls_of(copy, PART, method).await;
        }
        calls
    }
}

/// Each copy had a share of all that its release can do, and none of what it can't.
fn demand_both_served(shares: &[Share], outcome: &mut Outcome) {
    let [old, new] = VERSIONS;
    let expected = [old, old, new, new, old, new, new];
    for (Share { stage, copy, version, calls }, expected) in shares.iter().zip(expected) {
        outcome.demand(version == expected, || format!("{stage}: {copy} is {version}, not {expected}"));
        let [send, v1, v2] = *calls;
        outcome.demand(send > 0 && v1 > 0, || format!("{stage}: {copy} did not share the work: {calls:?}"));
        // Nobody calls the new version before a copy is of the new release, which is not the canary's business.
        let serves_v2 = version == new && *copy != "message.canary";
        outcome.demand((v2 > 0) == serves_v2, || format!("{stage}: {copy} answered {v2} × {}", V2.call));
    }
}

impl Released {
    pub(super) fn report(&self, built: Duration, judged: &Judged, old: &Calls, outcome: &mut Outcome) {
        outcome.heading(
            "A release of the message module, with `message.v2.unread` beside `message.unread`, under load",
            &["stage", "copy", "release", "`message.send`", "`message.unread`", "`message.v2.unread`"],
        );
        for Share { stage, copy, version, calls } in &self.shares {
            let [send, v1, v2] = calls.map(|calls| calls.to_string());
            outcome.row(&[stage, copy, version, &send, &v1, &v2]);
        }
        outcome.heading("What clients noticed of all changes of modules", &["what", "figure"]);
        outcome.row(&["build of the release's one program, from its sources", &seconds(built)]);
        outcome.row(&["its two copies replaced, without the time side by side", &seconds(self.took)]);
        for (version, calls) in [(V1, old), (V2, &self.new)] {
            outcome.wrong.extend(calls.failed.first().map(|why| {
                format!("{} calls of {} failed, such as: {why}", calls.failed.len(), version.call)
            }));
            let what = format!("calls of `{}`, and how many failed", version.call);
            outcome.row(&[&what, &format!("{}, {}", calls.made.len(), calls.failed.len())]);
            let slowest = calls.made.iter().max().copied().unwrap_or_default();
            outcome.row(&["- the slowest", &millis(slowest)]);
            outcome.demand(!calls.made.is_empty(), || format!("nobody called {}", version.call));
        }
        let figures = &judged.figures;
        let failed = if judged.failed.is_none() { "0" } else { "**some**" };
        outcome.row(&[
            "sends, changes and moves of the 40 clients, and how many failed",
            &format!("{}, {failed}", judged.calls.len()),
        ]);
        let slowest = judged.calls.iter().map(super::Call::took).max().unwrap_or_default();
        outcome.row(&["- the slowest", &millis(slowest)]);
        outcome.row(&["messages acked", &figures.acked.to_string()]);
        outcome.row(&["messages shown", &figures.delivered.to_string()]);
        outcome.row(&["connections lost", &figures.disconnects.to_string()]);
    }
}
