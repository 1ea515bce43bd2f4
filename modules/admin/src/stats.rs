//! `admin.stats`: the platform at a glance.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_schemas::admin::{CopyStats, GetStats, MethodStats, Stats};
use broker_schemas::subject::Discovery;
use broker_schemas::user::GetCensus;
use broker_schemas::{Staff, Timestamp};
use natter_host::{Call, Handle, Result};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{Module, page};

/// How long it waits for copies to answer.
const PATIENCE: Duration = Duration::from_millis(500);
const CENSUS: Duration = Duration::from_secs(2);
/// The most copies in one answer.
const COPIES: u32 = 1_000;

impl Handle<GetStats> for Module {
    async fn handle(&self, call: &Call<Staff>, request: GetStats) -> Result<Stats> {
        self.noted_if_refused(call, &request, async {
            let scope = call.scope.within(CENSUS);
            let asked = Instant::now();
            let (answers, census) = tokio::join!(
                self.bus.survey(Discovery::Stats, PATIENCE),
                self.bus.call(&scope, &GetCensus {}),
            );
            // Nobody knows how many will answer, so that it always waits; the module isn't slow for that.
            call.waited(asked.elapsed());
            let mut copies: Vec<_> = answers?.iter().filter_map(|answer| copy(answer)).collect();
            copies.sort_by(|a, b| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
            let (copies, _) = page::fit(copies, COPIES);
            let census = census.inspect_err(|error| tracing::debug!(%error, "no census")).ok();
            Ok(Stats { at: Timestamp::now(), census, copies })
        })
        .await
    }
}

/// An answer to `$SRV.STATS`, as ADR-32 says it is; in the metadata, what our host adds.
#[derive(Deserialize)]
struct Answer {
    name: String,
    id: String,
    version: String,
    started: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    subject: String,
    #[serde(default)]
    num_requests: u64,
    #[serde(default)]
    num_errors: u64,
    /// Nanoseconds.
    #[serde(default)]
    processing_time: u64,
}

/// What one copy says; other teams' services may answer too, and say less.
fn copy(answer: &[u8]) -> Option<CopyStats> {
    let answer: Answer = serde_json::from_slice(answer)
        .inspect_err(|error| tracing::debug!(%error, "an answer to STATS that can't be read"))
        .ok()?;
    let started = humantime::parse_rfc3339_weak(&answer.started).ok()?;
    let started = started.duration_since(std::time::UNIX_EPOCH).ok()?;
    let number = |name| answer.metadata.get(name).and_then(|text| text.parse::<u64>().ok());
    let small = |name| number(name).and_then(|number| u32::try_from(number).ok()).unwrap_or_default();

    // One method may have several endpoints: for clients, and for other parts.
    let mut methods: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for endpoint in &answer.endpoints {
        let name = endpoint.subject.rsplit('.').next().filter(|name| !name.is_empty());
        let counts = methods.entry(name.unwrap_or(&endpoint.name)).or_default();
        counts.0 = counts.0.saturating_add(endpoint.num_requests);
        counts.1 = counts.1.saturating_add(endpoint.num_errors);
        counts.2 = counts.2.saturating_add(endpoint.processing_time);
    }
    let sum = methods.values().fold((0u64, 0u64, 0u64), |sum, counts| {
        (sum.0.saturating_add(counts.0), sum.1.saturating_add(counts.1), sum.2.saturating_add(counts.2))
    });
    let mean_us = |(requests, _, nanoseconds): (u64, u64, u64)| {
        nanoseconds.checked_div(requests).unwrap_or_default() / 1_000
    };
    Some(CopyStats {
        service: answer.name,
        id: answer.id,
        version: answer.version,
        started_at: Timestamp(i64::try_from(started.as_millis()).ok()?),
        in_flight: small("in_flight"),
        limit: small("limit"),
        requests: sum.0,
        errors: sum.1,
        mean_us: mean_us(sum),
        database_bytes: number("database_bytes"),
        methods: methods
            .into_iter()
            .map(|(method, counts)| MethodStats {
                method: method.to_owned(),
                requests: counts.0,
                errors: counts.1,
                mean_us: mean_us(counts),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_methods_are_summed_over_their_endpoints() {
        let answer = br#"{"type":"io.nats.micro.v1.stats_response","name":"friend","id":"a1","version":"0.1.0",
            "metadata":{"in_flight":"3","limit":"512","database_bytes":"4096"},"started":"2026-01-01T00:00:00.500Z",
            "endpoints":[
                {"name":"list","subject":"natter.client.friend.v1.list","num_requests":2,"num_errors":1,
                 "processing_time":4000000,"average_processing_time":2000000},
                {"name":"list-internal","subject":"natter.internal.friend.v1.list","num_requests":2,"num_errors":0,
                 "processing_time":2000000}]}"#;
        let copy = copy(answer).unwrap();
        assert_eq!((copy.in_flight, copy.limit, copy.database_bytes), (3, 512, Some(4_096)));
        assert_eq!((copy.requests, copy.errors, copy.mean_us), (4, 1, 1_500));
        assert_eq!(copy.started_at, Timestamp(1_767_225_600_500));
        let list = MethodStats { method: "list".into(), requests: 4, errors: 1, mean_us: 1_500 };
        assert_eq!(copy.methods, [list]);
    }

    #[test]
    fn a_service_of_another_team_says_less_and_nonsense_says_nothing() {
        let strange =
            br#"{"name":"weather","id":"w","version":"2.0.0","started":"2026-01-01T00:00:00Z","extra":1}"#;
        let copy = copy(strange).unwrap();
        assert_eq!((copy.requests, copy.limit, copy.database_bytes), (0, 0, None));
        assert!(super::copy(b"{}").is_none() && super::copy(b"\xff").is_none());
    }
}
