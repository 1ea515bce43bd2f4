//! The platform at a glance.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{EdgeId, Timestamp, user};

/// See [`Admin`](super::Admin)'s `stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetStats {}

/// The platform at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct Stats {
    /// When.
    pub at: Timestamp,
    /// Accounts and sessions; absent when the user module can't be asked.
    pub census: Option<user::Census>,
    /// Every copy of every service that answered within half a second, by service and id.
    pub copies: Vec<CopyStats>,
}

/// What one copy of a service did since it started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct CopyStats {
    /// Which service.
    pub service: String,
    /// The copy's id, as in `nats micro ls`.
    pub id: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Requests that it is working on.
    pub in_flight: u32,
    /// How many it works on at most.
    pub limit: u32,
    /// Requests since it started.
    pub requests: u64,
    /// How many of them were refused or failed.
    pub errors: u64,
    /// The mean time that a request took, in microseconds.
    pub mean_us: u64,
    /// The size of its database, in bytes; absent where it has none.
    pub database_bytes: Option<u64>,
    /// The same for each of its methods.
    pub methods: Vec<MethodStats>,
}

/// What one copy of a service did of one method since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MethodStats {
    /// Which.
    pub method: String,
    /// Requests.
    pub requests: u64,
    /// How many of them were refused or failed.
    pub errors: u64,
    /// The mean time that a request took, in microseconds.
    pub mean_us: u64,
}

/// Sessions on one edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct EdgeSessions {
    /// Which edge.
    pub edge: EdgeId,
    /// How many sessions are open on it.
    pub sessions: u64,
}
