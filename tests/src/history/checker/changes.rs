//! I11: in the end a message that was changed says the same for all, and what was acked last.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Event;
use super::places::nothing;
use super::record::Edit;
use super::{Invariant, Judge, Micros};

/// What a message has become: its revision, its text, and the rest.
type State = (Option<u64>, Option<u64>, Option<u64>);

const fn state(event: &Event) -> State {
    (event.revision, event.body, event.state)
}

impl<'a> Judge<'a> {
    pub(super) fn changes(&mut self) {
        // Only messages that somebody meant to change, or that say that they were changed.
        let mut last: BTreeMap<(&'a str, u64), BTreeMap<State, BTreeSet<u64>>> = BTreeMap::new();
        let drained = self.record.drained.unwrap_or(Micros::MAX);
        let ended = self
            .record
            .readings
            .iter()
            .filter(|reading| reading.invoked >= drained && reading.complete().is_some());
        for reading in ended {
            for sight in &reading.sights {
                let place = (reading.conversation, sight.seq);
                let changed = sight.event.revision.is_some_and(|revision| revision > 0);
                if changed || self.record.edits.contains_key(&place) {
                    let states = last.entry(place).or_default();
                    states.entry(state(sight.event)).or_default().insert(reading.user);
                }
            }
        }
        for (&(conversation, seq), states) in &last {
            if states.len() > 1 {
                let users = states.values().flatten().copied();
                let what = format!("the message has {} states", states.len());
                self.name(Invariant::I11, conversation, (Some(seq), None), users, what);
                continue;
            }
            let Some((state, users)) = states.first_key_value() else { continue };
            if let Some(edits) = self.record.edits.get(&(conversation, seq))
                && !may_end_as(edits, state.1)
            {
                let what = "the message does not say what was acked last";
                self.name(Invariant::I11, conversation, (Some(seq), None), users.iter().copied(), what);
            }
            self.devices_behind(conversation, seq, *state);
        }
    }

    /// Devices of people who are still there, which show the message and not what it has become.
    fn devices_behind(&mut self, conversation: &'a str, seq: u64, last: State) {
        let mut behind = BTreeSet::new();
        for user in self.record.members(conversation) {
            let stays = self.record.stays(conversation, user);
            let there =
                stays.iter().any(|stay| stay.surely_until.is_none() && stay.surely_follows(seq, None));
            let alone = matches!(stays, [stay] if stay.surely_until.is_none());
            if !there && !alone {
                continue;
            }
            for (number, device) in self.record.devices.iter().filter(|(_, device)| device.user == user) {
                let view = self.record.view(*number, conversation);
                let Some(sights) = self.record.views.get(&view) else { continue };
                let Some(sight) = sights.iter().rfind(|sight| sight.seq == seq) else { continue };
                let updates = self.record.updates.get(&(view, seq)).map_or(&[][..], Vec::as_slice);
                let shown = updates.iter().copied().chain([sight.event]);
                let revision = shown.clone().filter_map(|event| event.revision).max();
                // A reaction is told without the text.
                let body = shown.filter(|event| event.body.is_some()).max_by_key(|event| event.revision);
                let is_last = revision == last.0 && body.and_then(|event| event.body) == last.1;
                if device.closed.is_none() && revision.is_some() && !is_last {
                    behind.insert(user);
                }
            }
        }
        if !behind.is_empty() {
            let what = format!("a device does not show revision {}", last.0.unwrap_or_default());
            self.name(Invariant::I11, conversation, (Some(seq), None), behind, what);
        }
    }
}

/// Whether a message may say this in the end: no later change that was acked says something else. Nothing is said after it was
/// recalled.
fn may_end_as(edits: &[Edit], body: Option<u64>) -> bool {
    let texts: Vec<&Edit> = edits.iter().filter(|edit| !edit.failed && edit.body.is_some()).collect();
    if texts.iter().any(|edit| edit.body == Some(nothing()) && edit.acked.is_some()) {
        return body == Some(nothing());
    }
    let acked: Vec<&&Edit> = texts.iter().filter(|edit| edit.acked.is_some()).collect();
    if acked.is_empty() {
        return true;
    }
    texts.iter().filter(|edit| edit.body == body).any(|edit| {
        // One that is unknown may have been done at any time.
        edit.acked.is_none_or(|at| acked.iter().all(|other| other.invoked <= at))
    })
}
