//! The audit log.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::{Code, Text, Timestamp, UserId};

/// See [`Admin`](super::Admin)'s `audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// Only acts of this user.
    pub by: Option<UserId>,
    /// Only acts on this user.
    pub on: Option<UserId>,
    /// Only acts of this method, such as `"ban"`.
    pub method: Option<Text<64>>,
    /// Only those before this entry.
    pub before: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Audit {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An act in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AuditEntry {
    /// Its place in the log.
    pub entry: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who; absent when nobody was signed in, and for the console.
    pub by: Option<UserId>,
    /// With which roles.
    pub roles: Vec<Role>,
    /// From where: the client's address and edge, or the console.
    pub from: String,
    /// The method's name.
    pub method: String,
    /// On which user.
    pub on: Option<UserId>,
    /// What was asked for, in JSON, cut at 8 KiB.
    pub request: String,
    /// `ok`, or the refusal's code; absent while it is being done, or when the module died doing it.
    pub outcome: Option<AuditOutcome>,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused, or failed.
    Refused {
        /// Why, as a code.
        code: Code,
        /// Why, in words.
        message: String,
    },
}
