//! What is counted. No label is ever chosen by a client.

use std::sync::LazyLock;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The meters that are used for every frame, looked up once. First used after the process installed its recorder.
pub(crate) static METERS: LazyLock<Meters> = LazyLock::new(|| Meters {
    frames_in: counter!("natter_edge_frames_total", "direction" => "in"),
    frames_out: counter!("natter_edge_frames_total", "direction" => "out"),
    call_seconds: histogram!("natter_edge_call_seconds"),
    sessions: gauge!("natter_edge_sessions"),
    out_queue_bytes: gauge!("natter_edge_out_queue_bytes"),
    deliveries: counter!("natter_edge_deliveries_total"),
    groups: gauge!("natter_edge_groups"),
    questions: counter!("natter_edge_present_questions_total"),
    withheld: counter!("natter_edge_withheld_total"),
});

pub(crate) struct Meters {
    pub(crate) frames_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) call_seconds: Histogram,
    pub(crate) sessions: Gauge,
    pub(crate) out_queue_bytes: Gauge,
    pub(crate) deliveries: Counter,
    /// Groups with members here.
    pub(crate) groups: Gauge,
    /// How often it was asked who is in a group, because a delivery was newer than what was known.
    pub(crate) questions: Counter,
    /// Deliveries to groups that went to nobody, because that could not be asked.
    pub(crate) withheld: Counter,
}

/// Connections of one transport.
pub(crate) fn connections(transport: &'static str) -> Gauge {
    gauge!("natter_edge_connections", "transport" => transport)
}

/// Calls that ended with this code.
pub(crate) fn calls(code: &'static str) -> Counter {
    counter!("natter_edge_calls_total", "code" => code)
}

/// Connections that ended for this reason.
pub(crate) fn closed(code: &'static str) -> Counter {
    counter!("natter_edge_closed_total", "code" => code)
}
