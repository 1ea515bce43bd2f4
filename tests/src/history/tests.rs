//! The checker accepts what is right, and names each wrong.

mod mutations;

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::{Bounds, Event, Growth, Invariant, Line, Mark, Operation, Report, Step, check, generator};
use crate::random::Random;
use mutations::{MUTATIONS, delivery, stored_unknown};

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

fn acked(lines: &[Line]) -> Vec<(usize, Event)> {
    all(lines, Operation::Send, Step::Ok)
}

fn names(report: &Report, (invariant, client_id): (Invariant, Uuid)) -> bool {
    report.violations.iter().any(|violation| {
        violation.invariant == invariant && (client_id.is_nil() || violation.client_id == Some(client_id))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_that_keeps_every_promise_passes(seed: u64) {
        let report = judge(&generator::history(seed));
        prop_assert!(report.is_good(), "seed {seed}: {}", report.violations[0]);
    }

    #[test]
    fn a_single_wrong_of_any_kind_is_named(seed: u64) {
        let history = generator::history(seed);
        for (what, mutate) in MUTATIONS {
            let mut lines = history.clone();
            let Some(expected) = mutate(&mut lines, &mut Random::new(seed)) else { continue };
            let report = judge(&lines);
            let said: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
            prop_assert!(names(&report, expected), "{what}, seed {seed}: expected {expected:?} of {said:#?}");
        }
    }
}

#[test]
fn each_kind_of_wrong_happens_to_the_generator_often_enough() {
    let histories: Vec<_> = (0..200).map(generator::history).collect();
    let mut rare = Vec::new();
    for (what, mutate) in MUTATIONS {
        let happens = |(seed, history): &(u64, &Vec<Line>)| {
            mutate(&mut (*history).clone(), &mut Random::new(*seed)).is_some()
        };
        let times = (0..).zip(&histories).filter(happens).count();
        if times < 10 {
            rare.push(format!("{what}: {times} times"));
        }
    }
    assert!(rare.is_empty(), "{rare:#?}");
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
    lines.push(Line::Sample { at: 1, process: "edge".into(), pid: 1, resident: 2, descriptors: 3 });
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
    let lines = [Line::Sample { at: 1, process: "edge".into(), pid: 1, resident: 600, descriptors: 30 }];
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

#[test]
fn memory_that_rises_is_named_and_memory_that_is_level_is_not() {
    let growth = Growth {
        warm_up: Duration::from_secs(60),
        least: Duration::from_secs(120),
        resident: 1 << 20,
        part: 0.1,
        descriptors: 5,
    };
    let bounds = Bounds { growth: Some(growth), ..Bounds::default() };
    // A sample a second for ten minutes, up and down by a mebibyte, and more by `rise` bytes each second after a minute.
    let life = |rise: u64, opens: u64| -> Vec<Line> {
        let samples = (0..600_u64).map(|second| Line::Sample {
            at: second * 1_000_000,
            process: "edge".into(),
            pid: 7,
            resident: (50 << 20) + second % 2 * (1 << 20) + second.saturating_sub(60) * rise,
            descriptors: 40 + second % 3 + second * opens / 60,
        });
        samples.collect()
    };
    let wrongs = |lines: &[Line]| check(lines, &bounds).violations.len();
    assert_eq!(wrongs(&life(0, 0)), 0);
    assert_eq!(wrongs(&life(20 << 10, 0)), 1);
    assert_eq!(wrongs(&life(0, 1)), 1);
    // A process that was started again and again has no time to rise.
    let mut short: Vec<Line> = life(20 << 10, 0);
    for (index, line) in short.iter_mut().enumerate() {
        if let Line::Sample { pid, .. } = line {
            *pid = u32::try_from(index / 100).unwrap();
        }
    }
    assert_eq!(wrongs(&short), 0);
    assert_eq!(check(&short, &bounds).levels, []);
}

#[test]
fn a_refusal_counts_only_of_somebody_who_was_there_all_the_time() {
    let event = |at, operation, step, user| Event { at, ..Event::new(operation, step, user, 1).within("g1") };
    let move_at = |at, operation, user| {
        [Step::Invoke, Step::Ok].map(|step| Line::Event(event(at, operation, step, user)))
    };
    let refused = |at, id: u128, user| {
        [(at, Step::Invoke, ""), (at + 1, Step::Fail, "no")].map(|(at, step, why)| {
            let event = event(at, Operation::Send, step, user);
            Line::Event(Event { client_id: Some(Uuid::from_u128(id)), why: why.into(), ..event })
        })
    };
    let mut lines = Vec::new();
    lines.extend(move_at(1, Operation::Join, 1));
    lines.extend(refused(10, 1, 1));
    assert_eq!(judge(&lines).failures, ["no"]);
    lines.truncate(2);
    lines.extend(move_at(5, Operation::Leave, 1));
    lines.extend(refused(10, 1, 1));
    assert!(judge(&lines).failures.is_empty());
}
