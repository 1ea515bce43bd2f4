//! Wrongs that a server can do, one at a time, and what the checker must name.

#![allow(clippy::ptr_arg, reason = "every mutation has one signature")]

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{acked, all, event_mut, events};
use crate::history::{Event, Invariant, Line, Mark, Operation, Step, without_last_acked};
use crate::random::Random;

mod groups;

/// One wrong that a server can do, once. Changes the history, and says what the checker must name; nothing where the
/// history has no place for it.
pub(super) type Mutation = fn(&mut Vec<Line>, &mut Random) -> Option<(Invariant, Uuid)>;

pub(super) const MUTATIONS: &[(&str, Mutation)] = &[
    ("dropped from a view", drop_from_a_view),
    ("dropped from a history", drop_from_a_read),
    ("acked and lost", lose),
    ("duplicated", duplicate),
    ("reordered", reorder),
    ("altered", alter),
    ("made up", make_up),
    ("sent although refused", refuse_and_store),
    ("delivered to a stranger", leak_to_a_stranger),
    ("delivered to somebody who left before it was sent", leak_to_a_leaver),
    ("accepted after an acked block", accept_after_block),
    ("given two places", two_places),
    ("put in a taken place", share_a_place),
    ("put behind a gap", gap),
    ("put before what was acked earlier", swap_places),
    ("unknown, and there for some only", forget_unknown),
    ("unknown, and there twice", unknown_twice),
    ("delivered to somebody who was out by its place", groups::leak_behind_the_leaving),
    ("delivered to a joiner from before", groups::leak_to_a_joiner),
    ("read by a joiner from before", groups::read_from_before),
    ("read by somebody who left", groups::read_after_leaving),
    ("accepted from somebody who left", groups::accept_from_a_leaver),
    ("edited, and told to somebody who left before", groups::leak_an_edit_to_a_leaver),
    ("of a group, and dropped from a view", groups::drop_notice_from_a_view),
    ("of a group, acked and lost", groups::lose_notice),
    ("of a group, and there twice", groups::repeat_notice),
    ("of a group, and done by nobody", groups::make_up_notice),
    ("of a group, and done by somebody else", groups::wrong_author),
    ("of a group, and another one for one of them", groups::differ),
    ("edited for all but one", groups::forget_an_edit_for_one),
    ("edited, acked and not changed", groups::forget_an_edit),
    ("edited, and not on a device", groups::forget_an_update),
];

/// A delivery of an acked message.
pub(super) fn delivery(lines: &[Line], random: &mut Random) -> Option<(usize, Event)> {
    let acked: Vec<_> = acked(lines).into_iter().map(|(_, event)| event.client_id).collect();
    let mut delivered = all(lines, Operation::Deliver, Step::Ok);
    delivered.retain(|(_, event)| acked.contains(&event.client_id));
    (!delivered.is_empty()).then(|| random.pick(&delivered).clone())
}

/// Whether this user never left the conversation, nor may have.
fn stays(lines: &[Line], of: &Event) -> bool {
    events(lines).all(|(_, event)| {
        event.operation != Operation::Leave || event.conversation != of.conversation || event.user != of.user
    })
}

/// What was read in the end by those who stayed: everything there is.
fn last_reads(lines: &[Line]) -> Vec<(usize, Event)> {
    let end = lines.iter().position(|line| matches!(line, Line::Mark { mark: Mark::Drained, .. }));
    let mut read = all(lines, Operation::Sync, Step::Ok);
    read.retain(|(at, event)| end.is_some_and(|end| end < *at) && event.seq.is_some() && stays(lines, event));
    read
}

fn drop_from_a_view(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, event) = delivery(lines, random)?;
    if !stays(lines, &event) {
        return None;
    }
    lines.remove(at);
    Some((Invariant::I1, event.client_id?))
}

fn drop_from_a_read(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let acked: Vec<_> = acked(lines).into_iter().map(|(_, event)| event.client_id).collect();
    let mut read = last_reads(lines);
    read.retain(|(_, event)| event.client_id.is_some() && acked.contains(&event.client_id));
    if read.is_empty() {
        return None;
    }
    let (at, event) = random.pick(&read).clone();
    lines.remove(at);
    Some((Invariant::I1, event.client_id?))
}

fn lose(lines: &mut Vec<Line>, _: &mut Random) -> Option<(Invariant, Uuid)> {
    let (without, lost) = without_last_acked(lines)?;
    *lines = without;
    Some((Invariant::I1, lost))
}

fn duplicate(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, event) = delivery(lines, random)?;
    lines.insert(at + 1, lines[at].clone());
    Some((Invariant::I4, event.client_id?))
}

fn reorder(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, first) = delivery(lines, random)?;
    let (later, second) = all(lines, Operation::Deliver, Step::Ok).into_iter().find(|(later, event)| {
        *later > at && event.device == first.device && event.conversation == first.conversation
    })?;
    // In one view.
    if all(lines, Operation::Forget, Step::Ok).iter().any(|(between, _)| (at..later).contains(between)) {
        return None;
    }
    *event_mut(lines, at) = Event { at: first.at, ..second.clone() };
    *event_mut(lines, later) = Event { at: second.at, ..first.clone() };
    Some((Invariant::I6, first.client_id?))
}

fn alter(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, event) = delivery(lines, random)?;
    event_mut(lines, at).body = Some(event.body? ^ 1);
    Some((Invariant::I2, event.client_id?))
}

fn make_up(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, _) = delivery(lines, random)?;
    let phantom = random.uuid();
    event_mut(lines, at).client_id = Some(phantom);
    Some((Invariant::I2, phantom))
}

fn refuse_and_store(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (_, event) = delivery(lines, random)?;
    let (at, _) = acked(lines).into_iter().find(|(_, ack)| ack.client_id == event.client_id)?;
    event_mut(lines, at).step = Step::Fail;
    Some((Invariant::I2, event.client_id?))
}

fn leak_to_a_stranger(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, event) = delivery(lines, random)?;
    let client_id = event.client_id?;
    lines.insert(at + 1, Line::Event(Event { user: 999, device: 9_999, ..event }));
    Some((Invariant::I8, client_id))
}

fn leak_to_a_leaver(lines: &mut Vec<Line>, _: &mut Random) -> Option<(Invariant, Uuid)> {
    let left = all(lines, Operation::Leave, Step::Ok);
    let joined = all(lines, Operation::Join, Step::Invoke);
    for (at, sight) in all(lines, Operation::Deliver, Step::Ok) {
        let send = all(lines, Operation::Send, Step::Invoke)
            .into_iter()
            .find(|(_, send)| send.client_id == sight.client_id);
        let Some((invoked, _)) = send else { continue };
        let gone = left.iter().find(|(left, event)| {
            *left < invoked
                && event.conversation == sight.conversation
                && !joined.iter().any(|(again, other)| {
                    *again > *left && other.user == event.user && other.conversation == event.conversation
                })
        });
        if let Some((_, gone)) = gone {
            let leaked = Event { user: gone.user, device: gone.device, ..sight.clone() };
            lines.insert(at + 1, Line::Event(leaked));
            return Some((Invariant::I8, sight.client_id?));
        }
    }
    None
}

fn accept_after_block(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let sends = all(lines, Operation::Send, Step::Invoke);
    let acked: Vec<_> = acked(lines).into_iter().map(|(_, event)| event.client_id).collect();
    let kept: Vec<_> = sends.into_iter().filter(|(_, event)| acked.contains(&event.client_id)).collect();
    if kept.is_empty() {
        return None;
    }
    let (at, send) = random.pick(&kept).clone();
    let time = send.at.checked_sub(1)?;
    let block = Event::new(Operation::Block, Step::Ok, send.user, send.device).within(&send.conversation);
    lines.insert(at, Line::Event(Event { at: time, ..block.clone() }));
    lines.insert(at, Line::Event(Event { at: time, step: Step::Invoke, ..block }));
    Some((Invariant::I8, send.client_id?))
}

fn last_place(lines: &[Line], conversation: &str) -> u64 {
    events(lines)
        .filter(|(_, event)| event.conversation == conversation)
        .filter_map(|(_, event)| event.seq)
        .max()
        .unwrap_or(0)
}

fn two_places(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (_, event) = delivery(lines, random)?;
    let (at, _) = acked(lines).into_iter().find(|(_, ack)| ack.client_id == event.client_id)?;
    event_mut(lines, at).seq = Some(last_place(lines, &event.conversation) + 1);
    Some((Invariant::I3, event.client_id?))
}

fn share_a_place(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (_, first) = delivery(lines, random)?;
    let (_, second) = delivery(lines, random)?;
    if first.conversation != second.conversation || first.client_id == second.client_id {
        return None;
    }
    // Everywhere: the two really are in one place.
    for line in lines.iter_mut() {
        if let Line::Event(event) = line
            && event.client_id == second.client_id
            && event.seq.is_some()
        {
            event.seq = first.seq;
        }
    }
    Some((Invariant::I5, first.client_id.min(second.client_id)?))
}

fn gap(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (_, event) = delivery(lines, random)?;
    if event.seq? < 2 {
        return None;
    }
    // From this message on, all moves up by one.
    for line in lines.iter_mut() {
        if let Line::Event(other) = line
            && other.conversation == event.conversation
            && other.operation != Operation::Join
            && other.seq >= event.seq
        {
            other.seq = other.seq.map(|seq| seq + 1);
        }
    }
    Some((Invariant::I5, Uuid::nil()))
}

fn swap_places(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let acks = acked(lines);
    let sends = all(lines, Operation::Send, Step::Invoke);
    let mut pairs = Vec::new();
    for (at, first) in &acks {
        for (_, send) in
            sends.iter().filter(|(invoked, send)| invoked > at && send.conversation == first.conversation)
        {
            let second = acks.iter().find(|(_, ack)| ack.client_id == send.client_id);
            pairs.extend(second.map(|(_, second)| (first.clone(), second.clone())));
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let (first, second) = random.pick(&pairs).clone();
    let sends: BTreeMap<Uuid, Event> =
        sends.into_iter().filter_map(|(_, send)| Some((send.client_id?, send))).collect();
    for line in lines.iter_mut() {
        let Line::Event(event) = line else { continue };
        let other = match event.client_id {
            id if id == first.client_id => &second,
            id if id == second.client_id => &first,
            _ => continue,
        };
        match event.operation {
            Operation::Send if event.step == Step::Ok => event.seq = other.seq,
            Operation::Deliver | Operation::Sync => {
                let send = &sends[&other.client_id?];
                event.client_id = send.client_id;
                event.body = send.body;
                event.from = Some(send.user);
            }
            _ => {}
        }
    }
    Some((Invariant::I7, second.client_id?))
}

/// A send whose answer was lost, of a message that is there.
pub(super) fn stored_unknown(lines: &[Line], random: &mut Random) -> Option<Event> {
    let seen = last_reads(lines);
    let mut unknown = all(lines, Operation::Send, Step::Info);
    unknown.retain(|(_, send)| seen.iter().any(|(_, event)| event.client_id == send.client_id));
    (!unknown.is_empty()).then(|| random.pick(&unknown).1.clone())
}

fn forget_unknown(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let unknown = stored_unknown(lines, random)?;
    let (at, _) = last_reads(lines).into_iter().find(|(_, event)| event.client_id == unknown.client_id)?;
    lines.remove(at);
    Some((Invariant::I9, unknown.client_id?))
}

fn unknown_twice(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let unknown = stored_unknown(lines, random)?;
    let next = last_place(lines, &unknown.conversation) + 1;
    let reads: Vec<_> = all(lines, Operation::Sync, Step::Ok)
        .into_iter()
        .filter(|(_, event)| event.seq.is_none() && event.conversation == unknown.conversation)
        .collect();
    let (_, seen) = all(lines, Operation::Sync, Step::Ok)
        .into_iter()
        .find(|(_, event)| event.client_id == unknown.client_id)?;
    // Before the end of each read, from the back, so that positions hold.
    for (at, end) in reads.into_iter().rev() {
        let again = Event { seq: Some(next), user: end.user, device: end.device, at: end.at, ..seen.clone() };
        lines.insert(at, Line::Event(again));
    }
    Some((Invariant::I3, unknown.client_id?))
}
