//! What two readings together say.

use std::collections::HashMap;

use broker_schemas::admin::{CopyStats, Stats};
use broker_schemas::{Method, message};

/// What was done per second between two readings.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Messages that people sent, refused ones not counted.
    pub(super) messages: f64,
    copies: HashMap<(String, String), Rate>,
}

/// What one copy did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Requests per second.
    pub(super) requests: f64,
    /// The mean time that one of them took, in microseconds; of all since its start, if there was none.
    pub(super) mean_us: u64,
}

impl Rates {
    /// What happened between two readings. A copy that was started meanwhile counts from the next one on.
    pub(super) fn between(before: &Stats, now: &Stats) -> Self {
        let milliseconds = u32::try_from(now.at.0.saturating_sub(before.at.0)).unwrap_or(u32::MAX).max(1);
        let seconds = f64::from(milliseconds) / 1_000.0;
        let per_second = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
        let mut rates = Self::default();
        let mut messages = 0;
        for copy in &now.copies {
            let same = |old: &&CopyStats| key(old) == key(copy) && old.started_at == copy.started_at;
            let Some(old) = before.copies.iter().find(same) else { continue };
            let requests = copy.requests.saturating_sub(old.requests);
            let time = |copy: &CopyStats| copy.mean_us.saturating_mul(copy.requests);
            let mean_us = time(copy).saturating_sub(time(old)).checked_div(requests).unwrap_or(copy.mean_us);
            messages += sent(copy).saturating_sub(sent(old));
            rates.copies.insert(key(copy), Rate { requests: per_second(requests), mean_us });
        }
        rates.messages = per_second(messages);
        rates
    }

    pub(super) fn of(&self, copy: &CopyStats) -> Option<Rate> {
        self.copies.get(&key(copy)).copied()
    }
}

fn key(copy: &CopyStats) -> (String, String) {
    (copy.service.clone(), copy.id.clone())
}

/// How many messages a copy has stored since it started.
fn sent(copy: &CopyStats) -> u64 {
    let spec = message::Send::SPEC;
    if copy.service != spec.service {
        return 0;
    }
    let methods = copy.methods.iter().filter(|method| method.method == spec.name);
    methods.map(|method| method.requests.saturating_sub(method.errors)).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use broker_schemas::Timestamp;
    use broker_schemas::admin::MethodStats;

    use super::*;

    pub(in super::super) fn copy(service: &str, id: &str, requests: u64, sent: u64) -> CopyStats {
        let send = MethodStats { method: "send".into(), requests: sent, errors: 0, mean_us: 900 };
        CopyStats {
            service: service.into(),
            id: id.into(),
            version: "0.1.0".into(),
            started_at: Timestamp(0),
            in_flight: 1,
            limit: 256,
            requests,
            errors: 0,
            mean_us: 1_000,
            database_bytes: Some(1 << 20),
            methods: vec![send],
        }
    }

    pub(in super::super) fn reading(at: i64, copies: Vec<CopyStats>) -> Stats {
        Stats { at: Timestamp(at), census: None, copies }
    }

    #[test]
    fn messages_of_every_copy_are_counted_and_refused_ones_are_not() {
        let before = reading(
            0,
            vec![copy("message", "A", 10, 10), copy("message", "B", 20, 20), copy("user", "C", 5, 5)],
        );
        let mut now = reading(
            2_000,
            vec![copy("message", "A", 20, 20), copy("message", "B", 40, 40), copy("user", "C", 9, 9)],
        );
        now.copies[1].methods[0].errors = 10;
        let rates = Rates::between(&before, &now);
        assert!((rates.messages - 10.0).abs() < 1e-9, "{}", rates.messages);
        assert!((rates.of(&now.copies[1]).unwrap().requests - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_copy_that_was_restarted_under_its_id_begins_anew() {
        let before = reading(0, vec![copy("message", "A", 100, 100)]);
        let restarted = CopyStats { started_at: Timestamp(500), ..copy("message", "A", 3, 3) };
        let rates = Rates::between(&before, &reading(1_000, vec![restarted.clone()]));
        assert!(rates.messages.abs() < 1e-9);
        assert!(rates.of(&restarted).is_none());
    }

    #[test]
    fn the_mean_is_of_what_happened_between_the_readings() {
        let before = reading(0, vec![copy("user", "A", 100, 0)]);
        let slower = CopyStats { mean_us: 2_000, ..copy("user", "A", 200, 0) };
        let rates = Rates::between(&before, &reading(1_000, vec![slower.clone()]));
        assert_eq!(rates.of(&slower).unwrap().mean_us, 3_000);
    }
}
