//! What names and texts must not contain.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{List, Text};

/// The longest [`Rule`]'s pattern, in bytes.
pub const PATTERN_BYTES: usize = 512;
/// The most rules.
pub const RULES_MAX: usize = 256;

/// To what a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// To names and display names of users, and to names of groups.
    Names,
    /// To texts of messages and of groups' announcements.
    Texts,
}

/// What follows when a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The request is refused, as `invalid`.
    Refuse,
    /// It is done, and a report is made. Only for texts of messages.
    Report,
}

/// What names or texts must not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// To what it applies.
    pub applies: Applies,
    /// A regular expression in the syntax of the `regex` crate, matched anywhere, whatever the case of letters.
    pub pattern: Text<PATTERN_BYTES>,
    /// What follows.
    pub then: Then,
    /// What the refusal says: `"<field>: <words>"`. 1 to 256 bytes.
    pub words: Text<256>,
}

/// See [`Admin`](super::Admin)'s `rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListRules {}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Rules {
    /// Counts their changes.
    pub version: u64,
    /// By id.
    pub rules: Vec<NumberedRule>,
    /// Modules that don't have this version yet.
    pub pending: Vec<String>,
}

/// A rule and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct NumberedRule {
    /// Its id.
    pub id: u64,
    /// What it says.
    pub rule: Rule,
}

/// See [`Admin`](super::Admin)'s `set_rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRule {
    /// The one to replace; a new one when absent.
    pub id: Option<u64>,
    /// What it says.
    pub rule: Rule,
}

/// A rule that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RuleSet {
    /// Its id.
    pub id: u64,
}

/// See [`Admin`](super::Admin)'s `remove_rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RemoveRule {
    /// Which.
    pub id: u64,
}

/// The rules, as the admin module hands them to a module that applies them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RuleBook {
    /// Counts their changes: an older one never replaces a newer one.
    pub version: u64,
    /// All of them.
    pub rules: List<Rule, RULES_MAX>,
}
