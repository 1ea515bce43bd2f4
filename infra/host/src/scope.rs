//! What a call inherits from the call that caused it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Trace;

/// For whom, until when, and as part of which trace something is done. A handler passes its scope on to the calls that
/// it makes, so that each hop has what is left of the time.
#[derive(Debug, Clone)]
pub struct Scope {
    /// When whoever waits stops waiting.
    pub deadline: Instant,
    /// The passport to show, as it travels in the header.
    pub passport: Option<Arc<str>>,
    /// The trace that it belongs to.
    pub trace: Trace,
}

impl Scope {
    /// Work of a part's own, for no user, with `time` for it.
    #[must_use]
    pub fn background(time: Duration) -> Self {
        Self { deadline: Instant::now() + time, passport: None, trace: Trace::start() }
    }

    /// The same, with another passport to show.
    #[must_use]
    pub fn with_passport(&self, passport: Arc<str>) -> Self {
        Self { passport: Some(passport), ..self.clone() }
    }

    /// The same, with at most `time` from now.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + time), ..self.clone() }
    }
}
