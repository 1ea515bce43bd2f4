//! What users and rules report, and what became of it.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use super::TEXT_BYTES;
use crate::{Conversation, Seq, Text, Timestamp, UserId};

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A message, as the reporter saw it.
    Message {
        /// Where it stands.
        conversation: Conversation,
        /// Its place there.
        seq: Seq,
        /// Who sent it.
        from: UserId,
        /// What it said when it was reported, cut at 4 KiB.
        text: Text<TEXT_BYTES>,
    },
}

/// See [`Admin`](super::Admin)'s `take_report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct TakeReport {
    /// Who reports; absent when a rule does.
    pub by: Option<UserId>,
    /// What.
    pub about: Subject,
    /// Why, in the reporter's words.
    pub reason: Text<1024>,
}

/// See [`Admin`](super::Admin)'s `reports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListReports {
    /// Settled ones instead of open ones, the newest first.
    pub settled: Option<bool>,
    /// Only those that follow this one in that order.
    pub after: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reports {
    /// In the order asked for.
    pub reports: Vec<Report>,
    /// Whether there are more.
    pub more: bool,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Report {
    /// Its id.
    pub report: u64,
    /// Who reported first; absent when a rule did.
    pub by: Option<UserId>,
    /// How many reported the same, all rules together counted as one.
    pub times: u32,
    /// What.
    pub about: Subject,
    /// Why, in the first reporter's words. From a rule: which one.
    pub reason: String,
    /// When.
    pub made_at: Timestamp,
    /// Who settled it, when, and with which note.
    pub settled: Option<Settled>,
}

/// How a report was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Settled {
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub note: String,
}

/// See [`Admin`](super::Admin)'s `settle_report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SettleReport {
    /// Which.
    pub report: u64,
    /// What was done, 1 byte to 1 KiB.
    pub note: Text<1024>,
}
