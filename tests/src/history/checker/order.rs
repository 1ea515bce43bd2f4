//! I7, by a walk through time: the largest acked place so far, against the place of what is invoked now.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{Invariant, Judge, Micros};

impl Judge<'_> {
    pub(super) fn ack_order(&mut self) {
        let mut place: HashMap<Uuid, u64> =
            self.record.sights().map(|(_, sight)| (sight.client_id, sight.seq)).collect();
        let mut moments: BTreeMap<&str, Vec<(Micros, bool, u64, Uuid)>> = BTreeMap::new();
        for (&client_id, message) in &self.record.messages {
            if let Some((_, seq)) = message.acked {
                place.insert(client_id, seq);
            }
            let Some(&seq) = place.get(&client_id) else { continue };
            let moments = moments.entry(message.conversation).or_default();
            // At the same moment nothing is before anything: the invocation is looked at first.
            moments.push((message.invoked, false, seq, client_id));
            if let Some((acked, _)) = message.acked {
                moments.push((acked, true, seq, client_id));
            }
        }
        for (conversation, mut moments) in moments {
            moments.sort_unstable();
            let mut largest: Option<(u64, Uuid)> = None;
            for (_, is_ack, seq, client_id) in moments {
                if is_ack {
                    largest = largest.max(Some((seq, client_id)));
                } else if let Some((before, other)) = largest
                    && before > seq
                {
                    let what =
                        format!("began after {other} was acked at place {before}, and stands before it");
                    let users = self.record.messages.get(&client_id).map(|message| message.user);
                    self.name(Invariant::I7, conversation, (Some(seq), Some(client_id)), users, what);
                }
            }
        }
    }
}
