//! The checker accepts what is right, and names each wrong.

#![allow(clippy::ptr_arg, reason = "every mutation has one signature")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    Bounds, Event, Invariant, Line, Mark, Operation, Report, Step, check, generator, without_last_acked,
};
use crate::random::Random;

fn judge(lines: &[Line]) -> Report {
    check(lines, &Bounds::default())
}

fn events(lines: &[Line]) -> impl Iterator<Item = (usize, &Event)> {
    lines.iter().enumerate().filter_map(|(at, line)| match line {
        Line::Event(event) => Some((at, event)),
        _ => None,
    })
}

/// The positions of steps of one kind.
fn all(lines: &[Line], operation: Operation, step: Step) -> Vec<(usize, Event)> {
    let found = events(lines).filter(|(_, event)| event.operation == operation && event.step == step);
    found.map(|(at, event)| (at, event.clone())).collect()
}

fn event_mut(lines: &mut [Line], at: usize) -> &mut Event {
    let Line::Event(event) = &mut lines[at] else { panic!("line {at} is no event") };
    event
}

/// One wrong that a server can do, once. Changes the history, and says what the checker must name; nothing where the
/// history has no place for it.
type Mutation = fn(&mut Vec<Line>, &mut Random) -> Option<(Invariant, Uuid)>;

const MUTATIONS: &[(&str, Mutation)] = &[
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
];

fn acked(lines: &[Line]) -> Vec<(usize, Event)> {
    all(lines, Operation::Send, Step::Ok)
}

/// A delivery of an acked message.
fn delivery(lines: &[Line], random: &mut Random) -> Option<(usize, Event)> {
    let acked: Vec<_> = acked(lines).into_iter().map(|(_, event)| event.client_id).collect();
    let mut delivered = all(lines, Operation::Deliver, Step::Ok);
    delivered.retain(|(_, event)| acked.contains(&event.client_id));
    (!delivered.is_empty()).then(|| random.pick(&delivered).clone())
}

/// Whether everybody who was ever in the conversation stayed.
fn is_settled(lines: &[Line], conversation: &str) -> bool {
    events(lines).all(|(_, event)| event.operation != Operation::Leave || event.conversation != conversation)
}

fn drop_from_a_view(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let (at, event) = delivery(lines, random)?;
    if !is_settled(lines, &event.conversation) {
        return None;
    }
    lines.remove(at);
    Some((Invariant::I1, event.client_id?))
}

fn drop_from_a_read(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let acked: Vec<_> = acked(lines).into_iter().map(|(_, event)| event.client_id).collect();
    let mut read = all(lines, Operation::Sync, Step::Ok);
    read.retain(|(_, event)| event.client_id.is_some() && acked.contains(&event.client_id));
    read.retain(|(_, event)| is_settled(lines, &event.conversation));
    if read.is_empty() {
        return None;
    }
    let (at, event) = random.pick(&read).clone();
    lines.remove(at);
    Some((Invariant::I1, event.client_id?))
}

fn lose(lines: &mut Vec<Line>, _: &mut Random) -> Option<(Invariant, Uuid)> {
    let (without, lost) = without_last_acked(lines)?;
    let settled = events(lines).find(|(_, event)| event.client_id == Some(lost))?.1.conversation.clone();
    if !is_settled(lines, &settled) {
        return None;
    }
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
        let (invoked, _) = all(lines, Operation::Send, Step::Invoke)
            .into_iter()
            .find(|(_, send)| send.client_id == sight.client_id)?;
        let gone = left.iter().find(|(left, event)| {
            *left < invoked
                && event.conversation == sight.conversation
                && !joined.iter().any(|(joined, event)| *joined > *left && event.user == sight.user)
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
    if !is_settled(lines, &event.conversation) || event.seq? < 2 {
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
fn stored_unknown(lines: &[Line], random: &mut Random) -> Option<Event> {
    let seen = all(lines, Operation::Sync, Step::Ok);
    let mut unknown = all(lines, Operation::Send, Step::Info);
    unknown.retain(|(_, send)| seen.iter().any(|(_, event)| event.client_id == send.client_id));
    unknown.retain(|(_, send)| is_settled(lines, &send.conversation));
    (!unknown.is_empty()).then(|| random.pick(&unknown).1.clone())
}

fn forget_unknown(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let unknown = stored_unknown(lines, random)?;
    let at = all(lines, Operation::Sync, Step::Ok)
        .into_iter()
        .find(|(_, event)| event.client_id == unknown.client_id)?
        .0;
    lines.remove(at);
    Some((Invariant::I9, unknown.client_id?))
}

fn unknown_twice(lines: &mut Vec<Line>, random: &mut Random) -> Option<(Invariant, Uuid)> {
    let unknown = stored_unknown(lines, random)?;
    let next = last_place(lines, &unknown.conversation) + 1;
    let reads: Vec<_> = all(lines, Operation::Sync, Step::Ok)
        .into_iter()
        .filter(|(_, event)| event.client_id.is_none() && event.conversation == unknown.conversation)
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

fn names(report: &Report, (invariant, client_id): (Invariant, Uuid)) -> bool {
    report.violations.iter().any(|violation| {
        violation.invariant == invariant && (client_id.is_nil() || violation.client_id == Some(client_id))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_that_keeps_every_promise_passes(seed: u64) {
        let report = judge(&generator::history(seed));
        prop_assert!(report.is_good(), "seed {seed}: {}", report.violations[0]);
    }

    #[test]
    fn a_single_wrong_of_any_kind_is_named(seed: u64) {
        for (what, mutate) in MUTATIONS {
            let mut lines = generator::history(seed);
            let Some(expected) = mutate(&mut lines, &mut Random::new(seed)) else { continue };
            let report = judge(&lines);
            let said: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
            prop_assert!(names(&report, expected), "{what}, seed {seed}: expected {expected:?} of {said:#?}");
        }
    }
}

#[test]
fn each_kind_of_wrong_happens_to_the_generator_often_enough() {
    for (what, mutate) in MUTATIONS {
        let times =
            (0..200).filter(|seed| mutate(&mut generator::history(*seed), &mut Random::new(*seed)).is_some());
        assert!(times.count() >= 10, "no message was {what}");
    }
}

/// Two people, one message each, from `alice` (1) to `bob` (2).
fn small() -> Vec<Line> {
    generator::history(7)
}

#[test]
fn a_violation_is_one_line_that_names_all() {
    let mut lines = small();
    let (at, event) = delivery(&lines, &mut Random::new(1)).unwrap();
    lines.insert(at + 1, lines[at].clone());
    let line = judge(&lines).violations[0].to_string();
    let (conversation, client_id) = (&event.conversation, event.client_id.unwrap());
    assert!(line.starts_with("I4: "), "{line}");
    for named in [conversation.clone(), client_id.to_string(), format!("users [{}]", event.user)] {
        assert!(line.contains(&named), "{line} does not name {named}");
    }
    assert!(!line.contains('\n'));
}

#[test]
fn a_history_is_the_same_after_it_was_saved() {
    let mut lines = small();
    lines.push(Line::Sample { at: 1, process: "edge".into(), resident: 2, descriptors: 3 });
    let file = tempfile::NamedTempFile::new().unwrap();
    super::save(&lines, file.path()).unwrap();
    assert_eq!(super::load(file.path()).unwrap(), lines);
}

#[test]
fn recovery_is_what_the_last_one_waited_for() {
    let send = |at, step, user: u64, id: u128| {
        let client_id = Some(Uuid::from_u128(id));
        let event = Event::new(Operation::Send, step, user, 1).within("u1-u2");
        let seq = (step == Step::Ok).then_some(u64::try_from(id).unwrap());
        Line::Event(Event { at, client_id, body: Some(0), seq, ..event })
    };
    let join = |step, user| Line::Event(Event::new(Operation::Join, step, user, 1).within("u1-u2"));
    let second = 1_000_000;
    let lines = [
        join(Step::Invoke, 1),
        join(Step::Ok, 1),
        join(Step::Invoke, 2),
        join(Step::Ok, 2),
        Line::Mark { at: 1, mark: Mark::Fault, what: "kill".into() },
        Line::Mark { at: 2, mark: Mark::Heal, what: String::new() },
        send(3, Step::Invoke, 1, 1),
        send(second, Step::Ok, 1, 1),
        send(second, Step::Invoke, 2, 2),
        send(4 * second, Step::Ok, 2, 2),
    ];
    let bound = |recovery| Bounds { recovery: Some(Duration::from_secs(recovery)), ..Bounds::default() };
    assert!(check(&lines, &bound(4)).is_good(), "{:?}", check(&lines, &bound(4)).violations);
    let report = check(&lines, &bound(3));
    assert_eq!(report.violations.len(), 1);
    assert!(
        report.violations[0].to_string().starts_with("I10: recovery took 4.0s"),
        "{:?}",
        report.violations
    );
}

#[test]
fn memory_and_open_files_have_bounds() {
    let lines = [Line::Sample { at: 1, process: "edge".into(), resident: 600, descriptors: 30 }];
    let bounds = Bounds { resident: Some(500), descriptors: Some(20), ..Bounds::default() };
    let report = check(&lines, &bounds);
    assert_eq!(report.violations.len(), 2, "{:?}", report.violations);
    assert!(report.violations.iter().all(|violation| violation.invariant == Invariant::I10));
}

#[test]
fn a_timeout_that_was_stored_for_all_is_fine() {
    let found = (0..200).any(|seed| {
        let lines = generator::history(seed);
        stored_unknown(&lines, &mut Random::new(seed)).is_some() && judge(&lines).is_good()
    });
    assert!(found);
}
