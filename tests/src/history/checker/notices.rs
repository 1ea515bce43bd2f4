//! Ties the notices that stand in a conversation to the operations that made them. From then on a notice is a message like
//! any other, and a stay knows its places.
//!
//! A notice doesn't say which operation made it. But of each kind, one operation is under way at a time, so as many of them
//! as there are notices, in order.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::Event;
use super::record::{Change, Message, Record, notice_id};
use super::{Invariant, Violation};

/// A notice, and who is said to have made it.
type Found = BTreeMap<u64, BTreeSet<Option<u64>>>;

/// Ties all notices; what is wrong with them.
pub(super) fn tie(record: &mut Record<'_>) -> Vec<Violation> {
    let mut found: BTreeMap<(&str, &str), Found> = BTreeMap::new();
    for (conversation, sight) in record.sights() {
        if let Event { client_id: None, notice: Some(notice), from, .. } = sight.event {
            let places = found.entry((conversation, notice)).or_default();
            places.entry(sight.seq).or_default().insert(*from);
        }
    }
    let mut violations = Vec::new();
    let kinds: BTreeSet<_> = found.keys().chain(record.changes.keys()).copied().collect();
    for kind in kinds {
        let none = Found::new();
        tie_kind(record, kind, found.get(&kind).unwrap_or(&none), &mut violations);
    }
    violations
}

fn tie_kind<'a>(
    record: &mut Record<'a>,
    kind @ (conversation, notice): (&'a str, &'a str),
    found: &Found,
    violations: &mut Vec<Violation>,
) {
    let changes = record.changes.remove(&kind).unwrap_or_default();
    let possible: Vec<&Change> = changes.iter().filter(|change| !change.failed).collect();
    let acked: Vec<&Change> = possible.iter().copied().filter(|change| change.acked.is_some()).collect();
    let mut name = |invariant, seq: Option<u64>, what: String| {
        violations.push(Violation {
            invariant,
            conversation: conversation.to_owned(),
            seq,
            client_id: seq.map(|seq| notice_id(conversation, seq, notice)),
            users: Vec::new(),
            what,
        });
    };
    for (place, makers) in found {
        if makers.len() > 1 {
            name(Invariant::I5, Some(*place), format!("not everybody sees the same author of \"{notice}\""));
        }
    }
    if let Some((extra, _)) = found.iter().nth(possible.len()) {
        let what =
            format!("\"{notice}\" stands there {} times, and was done {}", found.len(), possible.len());
        name(Invariant::I2, Some(*extra), what);
    }
    // Only who read the conversation afterwards can miss a notice altogether.
    let was_read = |change: &&&Change| {
        record.readings.iter().any(|reading| {
            reading.conversation == conversation
                && reading.complete().is_some()
                && change.acked.is_some_and(|acked| acked <= reading.invoked)
        })
    };
    let due = acked.iter().filter(was_read).count();
    if found.len() < due {
        let what = format!("\"{notice}\" was acked {due} times, and stands there {} times", found.len());
        name(Invariant::I1, None, what);
    }
    let makers = match found.len() {
        count if count == possible.len() => possible,
        count if count == acked.len() => acked,
        // Which ones of the unknown were done can't be told.
        _ => Vec::new(),
    };
    let earliest = changes.iter().find(|change| !change.failed);
    for (index, (&seq, _)) in found.iter().enumerate() {
        let Some(change) = makers.get(index).copied().or(earliest) else { continue };
        let acked = makers.get(index).and_then(|change| change.acked);
        let message = Message {
            conversation,
            user: change.by,
            body: None,
            invoked: change.invoked,
            acked: acked.map(|at| (at, seq)),
            failed: false,
            ended: change.ended,
            why: "",
        };
        let client_id: Uuid = notice_id(conversation, seq, notice);
        record.messages.insert(client_id, message);
        if let (Some((operation, user, stay)), true) = (change.stay, index < makers.len()) {
            let stays = record.stays.get_mut(conversation).and_then(|users| users.get_mut(&user));
            if let Some(stays) = stays {
                stays.place(stay, operation, seq);
            }
        }
    }
    record.moves.extend(changes.into_iter().filter(|change| change.stay.is_some()));
}
