//! Death at a point: a process aborts exactly there, under load, and its supervisor starts it again.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::sleep;

use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::Backend;
use crate::history::{Line, Mark, Operation, Step};

/// Which part dies where, and how often it passes the point before that: in the middle of the load, not with its first batch.
/// The programs know these names only if they were built with failpoints.
const POINTS: &[(&str, &str, u32)] = &[
    ("message", "message.send.before_commit", 100),
    ("message", "message.send.after_commit", 100),
    ("message", "message.send.after_push", 100),
    ("message", "message.change_group.before_commit", 3),
    ("message", "message.change_group.after_commit", 3),
    ("group", "group.before_telling", 3),
    ("group", "group.after_telling", 3),
];
/// A point that isn't reached by then is none.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a message may take that was stored by a process that died.
const DELIVERED: Duration = Duration::from_secs(5);

/// From a death until the last device showed a message that was under way then, and whose sender never got an answer.
fn orphaned(lines: &[Line]) -> Duration {
    let mut deaths = Vec::new();
    let (mut open, mut shown) = (HashMap::new(), HashMap::new());
    for line in lines {
        match line {
            Line::Mark { at, mark: Mark::Fault, .. } => deaths.push(*at),
            Line::Event(event) => match (event.operation, event.step, event.client_id) {
                (Operation::Send, Step::Invoke, Some(id)) => drop(open.insert(id, event.at)),
                (Operation::Send, Step::Ok, Some(id)) => drop(open.remove(&id)),
                (Operation::Deliver, _, Some(id)) => drop(shown.insert(id, event.at)),
                _ => {}
            },
            _ => {}
        }
    }
    let late = open.iter().filter_map(|(id, invoked)| {
        let death = deaths.iter().find(|death| *death > invoked)?;
        Some(Duration::from_micros(shown.get(id)?.saturating_sub(*death)))
    });
    late.max().unwrap_or_default()
}

pub(super) async fn death(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    if !scene.platform.logs().contains("built with failpoints") {
        return Err(Skip("the programs have no failpoints: `make faults` builds them with".into()));
    }
    scene.calm().await;
    // What is planted everywhere stays planted.
    let planted = std::env::var("NATTER_FAILPOINTS").map_or(String::new(), |planted| format!("{planted},"));
    let mut wrong = Vec::new();
    for (part, point, times) in POINTS {
        scene.platform.wrap(part, &["env", &format!("NATTER_FAILPOINTS={planted}{point}=abort@{times}")]);
        scene.platform.replace(part).await;
        scene.platform.wrap(part, &[]);
        let ended = scene.platform.ended(part, LIMIT).await;
        scene.fault(point);
        scene.heal(point);
        match ended {
            Ok(status) if status.success() => wrong.push(format!("{part} ended by itself before {point}")),
            Ok(_) => scene.platform.start(part).await,
            Err(_) => {
                wrong.push(format!("{part} did not reach {point} in {LIMIT:?}"));
                scene.platform.replace(part).await;
            }
        }
        sleep(Duration::from_secs(2)).await;
    }
    let mut done = scene.finish(&plan).await;
    let orphaned = orphaned(&done.lines);
    if orphaned > DELIVERED {
        wrong.push(format!("what was stored and never answered reached somebody only after {orphaned:.1?}"));
    }
    done.measured.push(format!(
        "aborted at {} points; what was stored and never answered reached everybody in {:.2} s",
        POINTS.len() - wrong.len(),
        orphaned.as_secs_f64()
    ));
    done.wrong.append(&mut wrong);
    Ok(done)
}
