//! Death at a point: a process aborts exactly there, under load, and its supervisor starts it again.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::admin::{CampaignState, CreateCampaign, GetCampaign, Segment, Span, StartCampaign};
use broker_schemas::{Role, Timestamp};
use tokio::time::{Instant, sleep};

use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::history::{Line, Mark, Operation, Step};
use crate::records::{Records, make_accounts};
use crate::shell::grant_at_console;
use crate::{Backend, Person};

/// Which part dies where, and how often it passes the point before that. The programs know these names only if they were built
/// with failpoints.
type Point = (&'static str, &'static str, u32);

/// In the middle of the load, not with its first batch.
const POINTS: &[Point] = &[
    ("message", "message.send.before_commit", 100),
    ("message", "message.send.after_commit", 100),
    ("message", "message.send.after_push", 100),
    ("message", "message.change_group.before_commit", 3),
    ("message", "message.change_group.after_commit", 3),
    ("group", "group.before_telling", 3),
    ("group", "group.after_telling", 3),
];
/// The same, of a campaign: whoever sends it counts batches.
const CAMPAIGN_POINTS: &[Point] = &[
    ("message", "message.post.before_commit", 2),
    ("message", "message.post.after_commit", 2),
    ("message", "message.post.before_push", 2),
    ("admin", "admin.campaign.after_post", 2),
];
const RECIPIENTS: u64 = 16_000;
/// Slow enough to be under way until it was broken everywhere.
const PER_SECOND: u32 = 400;
const SENT_IN: Duration = Duration::from_secs(120);

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
    let mut wrong = die_at(&mut scene, POINTS).await?;
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

/// The same with a campaign under way, whose recipients are away.
pub(super) async fn campaign(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let mut scene = Scene::start(backend, &plan, &[]).await;
    let door = scene.platform.start_admin_edge().await;
    drop(Person::register(&door, "root").await);
    grant_at_console(&scene.platform, "root", Role::Operator).await;
    let root = Person::sign_in(&door, "root").await;
    let from = Some(Timestamp::now());
    make_accounts(&scene.platform, RECIPIENTS, root.user).await;
    let create = CreateCampaign {
        title: "spring".try_into().unwrap(),
        text: "it is spring".try_into().unwrap(),
        segment: Segment::SignedUp(Span { from, to: None }),
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: Some(PER_SECOND),
    };
    let campaign = root.chat.call(&create).await.unwrap().campaign;
    root.chat.call(&StartCampaign { campaign }).await.unwrap();
    let begun = Instant::now();
    let mut wrong = die_at(&mut scene, CAMPAIGN_POINTS).await?;
    let mut state = CampaignState::Running;
    while state == CampaignState::Running && begun.elapsed() < SENT_IN {
        sleep(Duration::from_millis(200)).await;
        // The module may just be starting.
        if let Ok(found) = root.chat.call(&GetCampaign { campaign }).await {
            state = found.state;
        }
    }
    let sql = "SELECT count(*), count(DISTINCT conversation) FROM message WHERE body = 'it is spring'";
    let counted = Records::of(&scene.platform, "message").await.numbers(sql).await;
    let all = i64::try_from(RECIPIENTS).unwrap_or(i64::MAX);
    if state != CampaignState::Done || counted != [all, all] {
        let found =
            format!("{state:?} after {:.0?}: {counted:?} messages and conversations", begun.elapsed());
        wrong.push(format!("{found}, for {RECIPIENTS} recipients"));
    }
    let mut done = scene.finish(&plan).await;
    done.measured.push(format!(
        "aborted at {} points; {} messages to {} of {RECIPIENTS} recipients in {:.0} s",
        CAMPAIGN_POINTS.len(),
        counted[0],
        counted[1],
        begun.elapsed().as_secs_f64()
    ));
    done.wrong.append(&mut wrong);
    Ok(done)
}

/// Has parts die at points, one after the other. What was not as it should be.
async fn die_at(scene: &mut Scene, points: &'static [Point]) -> Result<Vec<String>, Skip> {
    if !scene.platform.logs().contains("built with failpoints") {
        return Err(Skip("the programs have no failpoints: `make faults` builds them with".into()));
    }
    scene.calm().await;
    // What is planted everywhere stays planted.
    let planted = std::env::var("NATTER_FAILPOINTS").map_or(String::new(), |planted| format!("{planted},"));
    let mut wrong = Vec::new();
    for (part, point, times) in points {
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
    Ok(wrong)
}
