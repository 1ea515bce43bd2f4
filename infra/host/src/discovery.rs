//! The answers of the NATS service API (ADR-32), by which `nats micro ls | info | stats` show every service.
//!
//! The client library has this as well. There, endpoints are keyed by name and a stop drops what was routed already, so
//! the host answers by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use broker_schemas::notation::notation;
use broker_schemas::subject::{self, Discovery};
use broker_schemas::{Error, Exposure, MethodSpec, ServiceSpec};
use serde_json::{Value, json};

/// One running copy of a service, as it shows itself.
#[derive(Debug)]
pub(crate) struct Copy {
    id: String,
    started: SystemTime,
    version: &'static str,
    service: ServiceSpec,
    endpoints: Vec<(Exposure, MethodSpec, EndpointStats)>,
    /// 0 while it is not known, and where there is none.
    database_bytes: AtomicU64,
}

/// What happened on one endpoint since the copy started.
#[derive(Debug, Default)]
pub(crate) struct EndpointStats {
    requests: AtomicU64,
    errors: AtomicU64,
    nanoseconds: AtomicU64,
    last_error: Mutex<String>,
}

impl EndpointStats {
    pub(crate) fn record(&self, elapsed: Duration, error: Option<&Error>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(error) = error {
            self.errors.fetch_add(1, Ordering::Relaxed);
            let text = format!("{}:{}", error.code.number(), error.message);
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}

impl Copy {
    pub(crate) fn new(
        service: &ServiceSpec,
        version: &'static str,
        endpoints: impl Iterator<Item = (Exposure, MethodSpec)>,
    ) -> Self {
        let endpoints =
            endpoints.map(|(exposure, spec)| (exposure, spec, EndpointStats::default())).collect();
        let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
        Self {
            id,
            started: SystemTime::now(),
            version,
            service: *service,
            endpoints,
            database_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn stats(&self, index: usize) -> &EndpointStats {
        &self.endpoints[index].2
    }

    pub(crate) fn set_database_bytes(&self, bytes: u64) {
        self.database_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The answer to `question`, in JSON, while `in_flight` requests of at most `limit` are worked on.
    pub(crate) fn answer(&self, question: Discovery, in_flight: usize, limit: usize) -> Vec<u8> {
        let mut answer = json!({
            "name": self.service.name,
            "id": self.id,
            "version": self.version,
            "metadata": {},
        });
        let kind = match question {
            Discovery::Ping => "ping",
            Discovery::Info => {
                answer["description"] = self.service.description.into();
                answer["endpoints"] = self.endpoints.iter().map(|endpoint| self.info(endpoint)).collect();
                "info"
            }
            Discovery::Stats => {
                // Of a copy as a whole the API has nowhere else to say anything, and allows only strings here.
                answer["metadata"]["in_flight"] = in_flight.to_string().into();
                answer["metadata"]["limit"] = limit.to_string().into();
                let database = self.database_bytes.load(Ordering::Relaxed);
                if database > 0 {
                    answer["metadata"]["database_bytes"] = database.to_string().into();
                }
                answer["started"] = humantime::format_rfc3339_millis(self.started).to_string().into();
                answer["endpoints"] = self.endpoints.iter().map(|endpoint| self.counts(endpoint)).collect();
                "stats"
            }
        };
        answer["type"] = format!("io.nats.micro.v1.{kind}_response").into();
        answer.to_string().into_bytes()
    }

    fn info(&self, (exposure, spec, _): &(Exposure, MethodSpec, EndpointStats)) -> Value {
        json!({
            "name": endpoint_name(*exposure, spec),
            "subject": subject::method(*exposure, spec).as_str(),
            "queue_group": self.service.name,
            // The API allows only strings here.
            "metadata": {
                "description": spec.description,
                "exposure": exposure.token(),
                "access": spec.access.name(),
                "repeat": spec.repeat.name(),
                "deadline_ms": spec.deadline.as_millis().to_string(),
                "request": notation(spec.request),
                "reply": notation(spec.reply),
            },
        })
    }

    fn counts(&self, (exposure, spec, stats): &(Exposure, MethodSpec, EndpointStats)) -> Value {
        let requests = stats.requests.load(Ordering::Relaxed);
        let nanoseconds = stats.nanoseconds.load(Ordering::Relaxed);
        json!({
            "name": endpoint_name(*exposure, spec),
            "subject": subject::method(*exposure, spec).as_str(),
            "queue_group": self.service.name,
            "num_requests": requests,
            "num_errors": stats.errors.load(Ordering::Relaxed),
            "last_error": *stats.last_error.lock().unwrap_or_else(PoisonError::into_inner),
            "processing_time": nanoseconds,
            "average_processing_time": nanoseconds.checked_div(requests).unwrap_or(0),
        })
    }
}

/// Unique in a service, and without dots, which the API forbids: `list` for clients, `list-internal` for modules, `v2-list`.
fn endpoint_name(exposure: Exposure, spec: &MethodSpec) -> String {
    let called = spec.called.replace('.', "-");
    match exposure {
        Exposure::Client => called,
        other => format!("{called}-{}", other.token()),
    }
}
