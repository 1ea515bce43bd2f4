//! I1 and I9: each message is there for all who may see it, or, if its send is unknown, for none.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::record::{Device, Message, Reading};
use super::{Invariant, Judge, Micros};

/// What is looked for in many places.
struct Seen<'a> {
    /// By device.
    views: HashSet<(u32, Uuid)>,
    /// The devices of each user.
    devices: BTreeMap<u64, Vec<(u32, &'a Device)>>,
    /// The complete readings of each conversation.
    readings: HashMap<&'a str, Vec<(&'a Reading<'a>, HashSet<Uuid>)>>,
}

impl<'a> Judge<'a> {
    pub(super) fn acked_and_unknown(&mut self) {
        let seen = self.seen();
        let places: HashMap<Uuid, u64> =
            self.record.sights().map(|(_, sight)| (sight.client_id, sight.seq)).collect();
        for reading in self.record.readings.iter().filter(|reading| reading.complete().is_none()) {
            let ended = reading.ended.map_or(Micros::MAX, |(at, _)| at);
            let stays = self.record.stays(reading.conversation, reading.user);
            if stays.iter().any(|stay| stay.surely_covers(reading.invoked, ended)) {
                let what = "the history can't be read";
                self.name(Invariant::I1, reading.conversation, (None, None), [reading.user], what);
            }
        }
        for (&client_id, message) in &self.record.messages {
            let (invariant, acked, seq) = match (message.acked, places.get(&client_id)) {
                (Some((acked, seq)), _) => (Invariant::I1, acked, seq),
                (None, Some(seq)) if !message.failed => (Invariant::I9, Micros::MAX, *seq),
                _ => continue,
            };
            let views = self.missing_in_views(&seen, message, client_id, seq);
            let reads = self.missing_in_reads(&seen, message, client_id, seq, acked);
            let state = if invariant == Invariant::I1 { "acked" } else { "unknown, but there for others" };
            let which = (Some(seq), Some(client_id));
            for (missing, place) in [(views, "the view"), (reads, "the history")] {
                if !missing.is_empty() {
                    let what = format!("{state}, and not in {place} of all");
                    self.name(invariant, message.conversation, which, missing, what);
                }
            }
        }
    }

    fn seen(&self) -> Seen<'a> {
        let mut views = HashSet::new();
        for ((device, ..), sights) in &self.record.views {
            views.extend(sights.iter().map(|sight| (*device, sight.client_id)));
        }
        let mut devices: BTreeMap<u64, Vec<(u32, &Device)>> = BTreeMap::new();
        for (number, device) in &self.record.devices {
            devices.entry(device.user).or_default().push((*number, device));
        }
        let mut readings: HashMap<&str, Vec<_>> = HashMap::new();
        for reading in self.record.readings.iter().filter(|reading| reading.complete().is_some()) {
            let ids: HashSet<Uuid> = reading.sights.iter().map(|sight| sight.client_id).collect();
            readings.entry(reading.conversation).or_default().push((reading, ids));
        }
        Seen { views, devices, readings }
    }

    /// Who stays in the conversation for good, and has a device that was there, and doesn't have the message.
    fn missing_in_views(
        &self,
        seen: &Seen<'_>,
        message: &Message<'_>,
        client_id: Uuid,
        seq: u64,
    ) -> BTreeSet<u64> {
        let mut missing = BTreeSet::new();
        for user in self.record.members(message.conversation) {
            let stays = self.record.stays(message.conversation, user);
            let must = stays.iter().any(|stay| {
                stay.surely_until.is_none()
                    && stay.first_seq.is_none_or(|first| seq >= first)
                    && stay.surely_follows(seq, Some(message.invoked))
            });
            if !must {
                continue;
            }
            for (number, device) in seen.devices.get(&user).into_iter().flatten() {
                let opened = device.opened.is_some_and(|opened| opened <= message.invoked);
                if opened && device.closed.is_none() && !seen.views.contains(&(*number, client_id)) {
                    missing.insert(user);
                }
            }
        }
        missing
    }

    fn missing_in_reads(
        &self,
        seen: &Seen<'_>,
        message: &Message<'_>,
        client_id: Uuid,
        seq: u64,
        acked: Micros,
    ) -> BTreeSet<u64> {
        let mut missing = BTreeSet::new();
        for (reading, ids) in seen.readings.get(message.conversation).into_iter().flatten() {
            // What is unknown may be stored while somebody reads, but not once all is quiet.
            let later =
                acked <= reading.invoked || self.record.drained.is_some_and(|at| at <= reading.invoked);
            if !later || ids.contains(&client_id) {
                continue;
            }
            let complete = reading.complete().unwrap_or(Micros::MAX);
            if self.must_read(reading, complete, seq, Some(message.invoked)) {
                missing.insert(reading.user);
            }
        }
        missing
    }
}
