//! How long each call took that a history tells of.

use std::collections::HashMap;
use std::time::Duration;

use crate::history::{Event, Line, Micros, Operation, Step};

/// One call, from its beginning until its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// When it began.
    pub(super) begun: Micros,
    /// When it was answered.
    pub(super) ended: Micros,
}

impl Call {
    /// How long it took.
    pub(super) const fn took(&self) -> Duration {
        Duration::from_micros(self.ended - self.begun)
    }
}

/// Every call of a history that was answered: sends, changes of messages, and who comes and goes.
pub(super) fn calls(lines: &[Line]) -> Vec<Call> {
    let mut open = HashMap::new();
    let mut calls = Vec::new();
    for line in lines {
        let Line::Event(event) = line else { continue };
        let Some(key) = key(event) else { continue };
        if event.step == Step::Invoke {
            open.insert(key, event.at);
        } else if let Some(begun) = open.remove(&key) {
            calls.push(Call { begun, ended: event.at });
        }
    }
    calls
}

/// What is the same at both ends of a call.
fn key(event: &Event) -> Option<(Operation, u64, u32, String)> {
    let Event { operation, user, device, conversation, client_id, seq, notice, .. } = event;
    let which = match operation {
        Operation::Send => client_id.map(|id| id.to_string()),
        Operation::Edit => seq.map(|seq| format!("{conversation} {seq}")),
        // Those without a notice are who was in a pair from the beginning.
        Operation::Join | Operation::Leave => notice.as_ref().map(|_| conversation.clone()),
        _ => None,
    };
    Some((*operation, *user, *device, which?))
}

/// The longest of the calls that were under way between two moments.
pub(super) fn worst(calls: &[Call], (from, to): (Micros, Micros)) -> Duration {
    let under_way = calls.iter().filter(|call| call.begun <= to && call.ended >= from);
    under_way.map(Call::took).max().unwrap_or_default()
}

/// The longest time for which a device was without a connection, of those that came back.
pub(super) fn longest_absence(lines: &[Line]) -> Duration {
    let (mut gone, mut longest) = (HashMap::new(), 0);
    for line in lines {
        let Line::Event(Event { operation: Operation::Resume, step, device, at, .. }) = line else {
            continue;
        };
        match step {
            Step::Info => drop(gone.entry(*device).or_insert(*at)),
            _ => longest = gone.remove(device).map_or(longest, |since| longest.max(at - since)),
        }
    }
    Duration::from_micros(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(at: Micros, step: Step, id: u128) -> Line {
        let event = Event::new(Operation::Send, step, 1, 1);
        Line::Event(Event { at, client_id: Some(uuid::Uuid::from_u128(id)), ..event })
    }

    #[test]
    fn the_longest_call_is_that_of_the_window_also_when_it_began_before() {
        let lines = [
            send(0, Step::Invoke, 1),
            send(5, Step::Invoke, 2),
            send(8, Step::Ok, 2),
            send(100, Step::Fail, 1),
            send(200, Step::Invoke, 3),
            send(201, Step::Ok, 3),
        ];
        let calls = calls(&lines);
        assert_eq!(calls.len(), 3);
        assert_eq!(worst(&calls, (50, 60)), Duration::from_micros(100));
        assert_eq!(worst(&calls, (150, 300)), Duration::from_micros(1));
        assert_eq!(worst(&calls, (300, 400)), Duration::ZERO);
    }

    #[test]
    fn a_device_is_away_from_the_loss_of_its_connection_until_it_is_back() {
        let resume =
            |at, step, device| Line::Event(Event { at, ..Event::new(Operation::Resume, step, 1, device) });
        let lines = [
            resume(0, Step::Ok, 1),
            resume(10, Step::Info, 1),
            resume(15, Step::Info, 1),
            resume(11, Step::Info, 2),
            resume(20, Step::Ok, 2),
            resume(40, Step::Ok, 1),
        ];
        assert_eq!(longest_absence(&lines), Duration::from_micros(30));
    }
}
