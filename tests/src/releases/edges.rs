//! Every edge is replaced in turn: its clients come back, resume, and miss nothing. And so are the NATS servers, to which clients
//! have no connection, and of which each part finds another.

use super::calls::longest_absence;
use super::rolling::{Restarted, restart, rows};
use super::{Judged, Outcome, Plan, millis};
use crate::Platform;
use crate::load::Running;

pub(super) async fn each_edge_and_server(platform: &Platform, load: &Running, plan: &Plan) -> Vec<Restarted> {
    let mut all = Vec::new();
    for what in ["edge", "nats"] {
        all.push(restart(platform, load, plan, what).await);
    }
    tokio::time::sleep(plan.calm).await;
    all
}

pub(super) fn report(all: &[Restarted], judged: &Judged, outcome: &mut Outcome) {
    let figures = &judged.figures;
    // A call that a client tries again until it is answered, and that is not, is lost.
    outcome.wrong.extend(judged.failed.clone());
    let lost = figures.sessions_lost;
    outcome.demand(lost == 0, || format!("{lost} sessions were lost while edges were changed"));
    let moved = figures.disconnects;
    outcome.demand(moved > 0, || "no client had to come back: no edge was replaced".into());
    let clients = moved.to_string();
    outcome.heading(
        "Every edge is replaced in turn, and every NATS server",
        &["part", "copies", "time until all are replaced", "slowest call meanwhile, tries included"],
    );
    rows(all, judged, outcome);
    outcome.heading("What clients noticed of it", &["what", "figure"]);
    outcome.row(&["connections that had to move to the new edge", &clients]);
    outcome.row(&["longest time without a connection", &millis(longest_absence(&judged.lines))]);
    outcome.row(&["messages acked", &figures.acked.to_string()]);
    outcome.row(&["messages shown", &figures.delivered.to_string()]);
    outcome.row(&["messages lost, shown twice, or out of order (each is a failure of this run)", "0"]);
}
