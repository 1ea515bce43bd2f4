//! I10, and what a history amounts to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::super::{Line, Mark, Operation, Step};
use super::record::{Message, Record};
use super::{Invariant, Micros, Violation};

/// What a run has to keep ([`Invariant::I10`]); what is absent is not judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// From each heal until everyone could send again and has what was acked before, and who was joining or leaving has
    /// done so; and from an ack after it until everyone has the message.
    pub recovery: Option<Duration>,
    /// Resident memory of each process, in bytes.
    pub resident: Option<u64>,
    /// Open files of each process.
    pub descriptors: Option<u64>,
    /// How far memory and open files of a process may grow, once it runs as it always will.
    pub growth: Option<Growth>,
}

/// What counts as level: the line through all samples of a process after its warm-up rises by less than this until the end.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// How long a process may grow into its work.
    pub warm_up: Duration,
    /// How long it must live after that for its samples to say anything.
    pub least: Duration,
    /// Memory: so many bytes more,
    pub resident: u64,
    /// or such a part of its mean more, whichever is more.
    pub part: f64,
    /// Open files: so many more.
    pub descriptors: u64,
}

/// How a process's use of memory and files went after its warm-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Which process.
    pub process: String,
    /// For how long it was looked at.
    pub looked_at: Duration,
    /// Its memory in the mean, in bytes.
    pub mean: f64,
    /// By how much its memory rose, in bytes per minute.
    pub per_minute: f64,
    /// By how much its memory rose in all.
    pub grown: f64,
    /// By how many the files that it had open rose in all.
    pub files_grown: f64,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, looked_at, mean, per_minute, grown, files_grown } = self;
        let mebi = |bytes: f64| bytes / f64::from(1 << 20);
        write!(
            f,
            "{process}: {:.1} MiB in the mean of {} s, {:+.0} KiB per minute, {:+.1} MiB and {files_grown:+.0} files in all",
            mebi(*mean),
            looked_at.as_secs(),
            per_minute / 1024.0,
            mebi(*grown)
        )
    }
}

/// What a history amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sends that were acked.
    pub acked: usize,
    /// Sends that did not happen.
    pub failed: usize,
    /// Sends of which nobody knows.
    pub unknown: usize,
    /// Messages shown to a user.
    pub delivered: usize,
    /// Changes of who is in a group that were acked.
    pub moved: usize,
    /// Changes of messages that were acked.
    pub edited: usize,
    /// Connections that a device lost.
    pub disconnects: usize,
    /// Sessions that were declared over.
    pub sessions_lost: usize,
    /// The longest recovery, see [`Bounds::recovery`]. None without a heal.
    pub recovery: Option<Duration>,
    /// The longest time from a heal until a user, who tried, had a send acked.
    pub first_success: Option<Duration>,
    /// The longest time from an ack, or from the heal if that was later, until a device had the message.
    pub last_delivery: Option<Duration>,
    /// The longest time until a change of who is in a group was acked, from its beginning, or from the heal if that was later.
    /// One that was under way when something broke may wait for the end of its call, and does not count.
    pub last_move: Option<Duration>,
    /// The most memory of any process, in bytes.
    pub resident: u64,
    /// The most open files of any process.
    pub descriptors: u64,
}

pub(super) fn figures(record: &Record<'_>, lines: &[Line]) -> Figures {
    let mut figures = Figures::default();
    let (mut faults, mut heals, mut end) = (Vec::new(), Vec::new(), Micros::MAX);
    for line in lines {
        match line {
            Line::Sample { resident, descriptors, .. } => {
                figures.resident = figures.resident.max(*resident);
                figures.descriptors = figures.descriptors.max(*descriptors);
            }
            Line::Mark { at, mark: Mark::Fault, .. } => faults.push(*at),
            Line::Mark { at, mark: Mark::Heal, .. } => heals.push(*at),
            Line::Mark { at, mark: Mark::Drained, .. } => end = *at,
            Line::Event(event) => match (event.operation, event.step) {
                (Operation::Send, Step::Ok) => figures.acked += 1,
                (Operation::Send, Step::Fail) => figures.failed += 1,
                (Operation::Send, Step::Info) => figures.unknown += 1,
                (Operation::Deliver, _) => figures.delivered += 1,
                (Operation::Join | Operation::Leave, Step::Ok) if event.notice.is_some() => {
                    figures.moved += 1
                }
                (Operation::Edit, Step::Ok) => figures.edited += 1,
                (Operation::Resume, Step::Info) => figures.disconnects += 1,
                (Operation::Resume, Step::Fail) => figures.sessions_lost += 1,
                _ => {}
            },
        }
    }
    if let Some(&fault) = faults.first()
        && !heals.is_empty()
    {
        figures.first_success = heals.iter().map(|heal| first_success(record, *heal, end)).max();
        figures.last_delivery = Some(last_delivery(record, fault, &heals));
        figures.last_move = Some(last_move(record, &faults, &heals));
        figures.recovery = figures.first_success.max(figures.last_delivery).max(figures.last_move);
    }
    figures
}

/// A first try so soon after a heal counts from the heal.
const PROMPT: Micros = 1_000_000;

/// From `heal`, or from a later first try, until the last of those who tried to send after it had a send acked.
fn first_success(record: &Record<'_>, heal: Micros, end: Micros) -> Duration {
    // Somebody who may not write has no success to wait for.
    let may_write = |message: &&Message<'_>| {
        let ended = message.ended.unwrap_or(Micros::MAX);
        let stays = record.stays(message.conversation, message.user);
        stays.iter().any(|stay| stay.surely_covers(message.invoked, ended))
    };
    let mut first: BTreeMap<u64, (Micros, Micros)> = BTreeMap::new();
    for message in record.messages.values().filter(|message| message.invoked >= heal).filter(may_write) {
        let acked = message.acked.map_or(end, |(at, _)| at);
        let (tried, succeeded) = first.entry(message.user).or_insert((Micros::MAX, Micros::MAX));
        *tried = message.invoked.min(*tried);
        *succeeded = acked.min(*succeeded);
    }
    let waits = first.into_values().map(|(tried, succeeded)| {
        // Whoever has been silent since has not waited for as long.
        let since = if tried - heal > PROMPT { tried } else { heal };
        succeeded.min(end.max(since)).saturating_sub(since)
    });
    Duration::from_micros(waits.max().unwrap_or_default())
}

/// The longest time from the ack of a message until a device showed it; or from the heal that followed its fault, or from
/// the joining of the user, if that was later.
fn last_delivery(record: &Record<'_>, fault: Micros, heals: &[Micros]) -> Duration {
    let mut longest = 0;
    for ((_, conversation, _), sights) in &record.views {
        for sight in sights.iter().filter(|sight| sight.at >= fault) {
            let message = record.messages.get(&sight.client_id);
            let Some((acked, _)) = message.and_then(|message| message.acked) else { continue };
            let stays = record.stays(conversation, sight.user).iter();
            let joined = stays.filter_map(|stay| stay.surely_from.filter(|joined| *joined <= sight.at)).max();
            // Delivered before any heal: the fault did not keep it back for long.
            let healed = heals.iter().rfind(|heal| **heal <= sight.at);
            if let Some(healed) = healed {
                let due = acked.max(*healed).max(joined.unwrap_or_default());
                longest = longest.max(sight.at.saturating_sub(due));
            }
        }
    }
    Duration::from_micros(longest)
}

/// The longest time until a move was acked, from its beginning, or from the heal that followed its fault, if that was later.
fn last_move(record: &Record<'_>, faults: &[Micros], heals: &[Micros]) -> Duration {
    let mut longest = 0;
    for change in &record.moves {
        let Some(acked) = change.acked else { continue };
        let Some(healed) = heals.iter().rfind(|heal| **heal <= acked) else { continue };
        let broken = faults.iter().rfind(|fault| **fault <= *healed);
        if broken.is_some_and(|broken| *broken <= change.invoked) {
            longest = longest.max(acked.saturating_sub(change.invoked.max(*healed)));
        }
    }
    Duration::from_micros(longest)
}

/// How the memory of each process went that lived long enough.
pub(super) fn levels(lines: &[Line], growth: Option<Growth>) -> Vec<Level> {
    let Some(growth) = growth else { return Vec::new() };
    /// When, in seconds; bytes of memory; open files.
    type Sample = (f64, f64, f64);
    let mut lives: BTreeMap<(&str, u32), Vec<Sample>> = BTreeMap::new();
    for line in lines {
        if let Line::Sample { at, process, pid, resident, descriptors } = line {
            let sample = (in_seconds(*at), float(*resident), float(*descriptors));
            lives.entry((process, *pid)).or_default().push(sample);
        }
    }
    let mut levels = Vec::new();
    for ((process, _), samples) in lives {
        let begin = samples[0].0 + growth.warm_up.as_secs_f64();
        let late: Vec<_> = samples.into_iter().filter(|(at, ..)| *at >= begin).collect();
        let (Some(first), Some(last)) = (late.first(), late.last()) else { continue };
        let span = last.0 - first.0;
        if span < growth.least.as_secs_f64() || late.len() < 3 {
            continue;
        }
        let (mean, slope) = line_through(late.iter().map(|(at, resident, _)| (*at, *resident)));
        let (_, files) = line_through(late.iter().map(|(at, _, files)| (*at, *files)));
        levels.push(Level {
            process: process.to_owned(),
            looked_at: Duration::from_secs_f64(span),
            mean,
            per_minute: slope * 60.0,
            grown: slope * span,
            files_grown: files * span,
        });
    }
    levels
}

fn in_seconds(at: Micros) -> f64 {
    Duration::from_micros(at).as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "bytes of memory of one machine")]
const fn float(number: u64) -> f64 {
    number as f64
}

/// The mean, and the slope of the line with the least squares.
fn line_through(points: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let (mut count, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (x, y) in points.clone() {
        count += 1.0;
        x_sum += x;
        y_sum += y;
    }
    let (x_mean, y_mean) = (x_sum / count, y_sum / count);
    let (mut rise, mut run) = (0.0, 0.0);
    for (x, y) in points {
        rise += (x - x_mean) * (y - y_mean);
        run += (x - x_mean).powi(2);
    }
    (y_mean, if run > 0.0 { rise / run } else { 0.0 })
}

pub(super) fn breaches(figures: &Figures, levels: &[Level], bounds: &Bounds) -> Vec<Violation> {
    let mut breaches = Vec::new();
    let mut name = |what: String| {
        breaches.push(Violation {
            invariant: Invariant::I10,
            conversation: String::new(),
            seq: None,
            client_id: None,
            users: Vec::new(),
            what,
        });
    };
    if let (Some(bound), Some(recovery)) = (bounds.recovery, figures.recovery)
        && recovery > bound
    {
        name(format!("recovery took {recovery:.1?}, and may take {bound:.1?}"));
    }
    if let Some(bound) = bounds.resident
        && figures.resident > bound
    {
        name(format!("a process held {} bytes of memory, and may hold {bound}", figures.resident));
    }
    if let Some(bound) = bounds.descriptors
        && figures.descriptors > bound
    {
        name(format!("a process held {} files open, and may hold {bound}", figures.descriptors));
    }
    if let Some(growth) = bounds.growth {
        for level in levels {
            let Level { process, looked_at, mean, grown, files_grown, .. } = level;
            let bound = float(growth.resident).max(growth.part * mean);
            if *grown > bound {
                name(format!(
                    "the memory of {process} grew by {grown:.0} bytes in {looked_at:.0?}, and may grow by {bound:.0}"
                ));
            }
            if *files_grown > float(growth.descriptors) {
                name(format!(
                    "{process} opened {files_grown:.0} files more in {looked_at:.0?} than it closed"
                ));
            }
        }
    }
    breaches
}
