//! A wrong that proves that a judge is awake.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Event, Line, Operation, Step};

/// The history without one acked message: no delivery and no read has it, as if the server had acked it and lost it.
/// Proves that a judge is awake. The message is the last one of its conversation that was acked; returns its `client_id`.
#[must_use]
pub fn without_last_acked(lines: &[Line]) -> Option<(Vec<Line>, Uuid)> {
    let mut last: BTreeMap<&str, (u64, Uuid)> = BTreeMap::new();
    for line in lines {
        if let Line::Event(Event {
            operation: Operation::Send,
            step: Step::Ok,
            conversation,
            client_id: Some(id),
            seq: Some(seq),
            ..
        }) = line
        {
            let found = last.entry(conversation).or_insert((*seq, *id));
            *found = (*found).max((*seq, *id));
        }
    }
    let (_, lost) = *last.values().next()?;
    let seen = |line: &Line| {
        matches!(line, Line::Event(event) if event.client_id == Some(lost)
            && matches!(event.operation, Operation::Deliver | Operation::Sync))
    };
    Some((lines.iter().filter(|line| !seen(line)).cloned().collect(), lost))
}
