//! What stands in the columns, and back.

use std::fmt::Display;

use anyhow::{Context, anyhow};
use broker_schemas::group::{Admission, Announcement, Visible};
use broker_schemas::rights::Role;
use broker_schemas::{Timestamp, UserId};
use natter_host::Result;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::Outsider;
use crate::group::{Being, Group, Membership};

impl Outsider {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Blocked => "blocked",
        }
    }
}

pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Administrator => "administrator",
        Role::Owner => "owner",
    }
}

pub(super) const fn admission_name(admission: Admission) -> &'static str {
    match admission {
        Admission::Open => "open",
        Admission::Approval => "approval",
        Admission::Invitation => "invitation",
    }
}

pub(super) const fn visible_name(visible: Visible) -> &'static str {
    match visible {
        Visible::FromJoining => "from_joining",
        Visible::Everything => "everything",
    }
}

pub(super) fn role(name: &str) -> Result<Role> {
    find([Role::Member, Role::Administrator, Role::Owner], role_name, name)
}

pub(super) fn visible(name: &str) -> Result<Visible> {
    find([Visible::FromJoining, Visible::Everything], visible_name, name)
}

fn admission(name: &str) -> Result<Admission> {
    find([Admission::Open, Admission::Approval, Admission::Invitation], admission_name, name)
}

fn find<T: Copy>(all: impl IntoIterator<Item = T>, named: fn(T) -> &'static str, name: &str) -> Result<T> {
    let found = all.into_iter().find(|one| named(*one) == name);
    Ok(found.ok_or_else(|| unexpected(name))?)
}

fn unexpected(value: impl Display) -> anyhow::Error {
    anyhow!("{value} in the database")
}

pub(super) fn count(number: i64) -> Result<u32> {
    Ok(u32::try_from(number).context("a count in the database")?)
}

pub(super) fn group(row: &AnyRow) -> Result<Group> {
    let text: Option<String> = row.try_get("announcement")?;
    let announcement = match (text, user(row, "announced_by")?, moment(row, "announced_at")?) {
        (Some(text), Some(by), Some(at)) => Some(Announcement { text, by, at }),
        _ => None,
    };
    Ok(Group {
        id: row.try_get::<i64, _>("id")?.try_into()?,
        name: row.try_get("name")?,
        admission: admission(row.try_get("admission")?)?,
        visible: visible(row.try_get("visible")?)?,
        version: row.try_get::<i64, _>("version")?.cast_unsigned(),
        members: count(row.try_get("members")?)?,
        muted_until: moment(row, "muted_until")?,
        announcement,
        passed_on: user(row, "passed_on_by")?.zip(user(row, "passed_on_to")?),
        dissolved_at: moment(row, "dissolved_at")?,
    })
}

fn user(row: &AnyRow, column: &str) -> Result<Option<UserId>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UserId::try_from).transpose()?)
}

fn moment(row: &AnyRow, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp))
}

/// From the row that [`super::BEING`] found, if it found one.
pub(super) fn being(row: Option<&AnyRow>) -> Result<Being> {
    let Some(row) = row else { return Ok(Being::Stranger) };
    let kind: &str = row.try_get("kind")?;
    match kind {
        "asking" => Ok(Being::Asking),
        "blocked" => Ok(Being::Blocked),
        role => Ok(Being::Member(membership(role, row.try_get("muted_until")?, row.try_get("since")?)?)),
    }
}

pub(super) fn membership(role_name: &str, muted_until: Option<i64>, since: i64) -> Result<Membership> {
    Ok(Membership {
        role: role(role_name)?,
        muted_until: muted_until.map(Timestamp),
        since: Timestamp(since),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's names, so that whoever looks into the tables finds the words of the documentation.
    #[test]
    fn columns_say_what_json_says() {
        for one in [Role::Member, Role::Administrator, Role::Owner] {
            assert_eq!(serde_json::to_value(one).unwrap(), role_name(one));
            assert_eq!(role(role_name(one)).unwrap(), one);
        }
        for one in [Admission::Open, Admission::Approval, Admission::Invitation] {
            assert_eq!(serde_json::to_value(one).unwrap(), admission_name(one));
            assert_eq!(admission(admission_name(one)).unwrap(), one);
        }
        for one in [Visible::FromJoining, Visible::Everything] {
            assert_eq!(serde_json::to_value(one).unwrap(), visible_name(one));
            assert_eq!(visible(visible_name(one)).unwrap(), one);
        }
        assert!(role("emperor").is_err());
    }
}
