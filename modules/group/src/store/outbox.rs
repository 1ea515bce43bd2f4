//! Changes that the message module has not confirmed yet.

use anyhow::Context;
use broker_schemas::GroupId;
use broker_schemas::message::ChangeGroup;
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row, query, query_as};

use super::{Store, columns};

/// A change that has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) change: ChangeGroup,
    /// What the group is called now.
    pub(crate) name: String,
    /// Who tells it, as [`Store::is_ours`] knows.
    pub(crate) teller: i64,
}

/// The oldest change of a group that has to be told, and who tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    pub(crate) group: GroupId,
    pub(crate) version: u64,
    pub(crate) teller: i64,
}

impl Store {
    /// The changes of a group up to a version that have not been told yet: the first `limit` of them, in order.
    pub(crate) async fn untold(&self, group: GroupId, up_to: u64, limit: u32) -> Result<Vec<Untold>> {
        const SQL: &str = "
            SELECT outbox.group_id, outbox.version, outbox.by_user, outbox.visible, outbox.change, outbox.teller,
                chat_group.name
            FROM outbox JOIN chat_group ON chat_group.id = outbox.group_id
            WHERE outbox.group_id = $1 AND outbox.version <= $2 ORDER BY outbox.version LIMIT $3";
        let rows = query(SQL)
            .bind(i64::from(group))
            .bind(i64::try_from(up_to).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(untold).collect()
    }

    /// The oldest change that has not been told yet, of each group after `last` that has one, by the group's id; at most `limit`.
    pub(crate) async fn heads(&self, last: Option<GroupId>, limit: u32) -> Result<Vec<Head>> {
        const SQL: &str = "
            SELECT group_id, version, teller FROM outbox
            WHERE group_id > $1
                AND version = (SELECT MIN(version) FROM outbox AS first WHERE first.group_id = outbox.group_id)
            ORDER BY group_id LIMIT $2";
        let rows: Vec<(i64, i64, i64)> = query_as(SQL)
            .bind(last.map_or(0, i64::from))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        let head = |(group, version, teller): (i64, i64, i64)| {
            Ok(Head { group: group.try_into()?, version: version.cast_unsigned(), teller })
        };
        rows.into_iter().map(head).collect()
    }

    /// Whether this copy of the module tells a change.
    pub(crate) const fn is_ours(&self, teller: i64) -> bool {
        teller == self.teller
    }

    /// Takes over from whoever tells a change, and all others that it tells of the group. `false` when somebody else did.
    pub(crate) async fn take_over(&self, head: Head) -> Result<bool> {
        let taken = query("UPDATE outbox SET teller = $1 WHERE group_id = $2 AND teller = $3")
            .bind(self.teller)
            .bind(i64::from(head.group))
            .bind(head.teller)
            .execute(self.database.write())
            .await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Notes that everybody who has to has been told of a change.
    pub(crate) async fn forget(&self, told: &ChangeGroup) -> Result<()> {
        query("DELETE FROM outbox WHERE group_id = $1 AND version = $2")
            .bind(i64::from(told.group))
            .bind(told.version.cast_signed())
            .execute(self.database.write())
            .await?;
        Ok(())
    }
}

fn untold(row: &AnyRow) -> Result<Untold> {
    let change: &str = row.try_get("change")?;
    let change = ChangeGroup {
        group: row.try_get::<i64, _>("group_id")?.try_into()?,
        version: row.try_get::<i64, _>("version")?.cast_unsigned(),
        by: row.try_get::<i64, _>("by_user")?.try_into()?,
        change: serde_json::from_str(change).context("a change in the outbox")?,
        visible: columns::visible(row.try_get("visible")?)?,
    };
    Ok(Untold { change, name: row.try_get("name")?, teller: row.try_get("teller")? })
}

/// Writes down that the message module has to learn of a change, from `teller`.
pub(super) async fn record(
    connection: &mut AnyConnection,
    teller: i64,
    recorded: &ChangeGroup,
) -> Result<()> {
    let change = serde_json::to_string(&recorded.change).context("encode a change")?;
    const SQL: &str = "
        INSERT INTO outbox (group_id, version, by_user, visible, change, teller) VALUES ($1, $2, $3, $4, $5, $6)";
    query(SQL)
        .bind(i64::from(recorded.group))
        .bind(recorded.version.cast_signed())
        .bind(i64::from(recorded.by))
        .bind(columns::visible_name(recorded.visible))
        .bind(change)
        .bind(teller)
        .execute(connection)
        .await?;
    Ok(())
}
