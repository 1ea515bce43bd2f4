//! Who is an operator, a moderator or an auditor.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::{Text, UserId, user};

/// See [`Admin`](super::Admin)'s `grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// To whom.
    pub user: UserId,
    /// Which.
    pub role: Role,
}

/// See [`Admin`](super::Admin)'s `revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// From whom.
    pub user: UserId,
    /// Which.
    pub role: Role,
}

/// See [`Admin`](super::Admin)'s `appoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Appoint {
    /// The account's name, whatever the case of its letters.
    pub name: Text<{ user::NAME_BYTES }>,
    /// Which role.
    pub role: Role,
    /// Who does this, for the audit log: the name of the account on the machine and the machine's.
    pub from: Text<256>,
}

/// See [`Admin`](super::Admin)'s `staff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListStaff {}

/// Everyone with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct StaffMembers {
    /// By user id.
    pub members: Vec<user::StaffMember>,
}
