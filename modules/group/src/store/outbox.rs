//! Changes that the message module has not confirmed yet.

use anyhow::Context;
use broker_schemas::group::{Change, Visible};
use broker_schemas::message::ChangeGroup;
use broker_schemas::{GroupId, UserId};
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row, query, query_scalar};

use super::{Store, columns};

/// A change that has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) change: ChangeGroup,
    /// What the group is called now.
    pub(crate) name: String,
}

impl Store {
    /// The changes of a group up to a version that have not been told yet: the first `limit` of them, in order.
    pub(crate) async fn untold(&self, group: GroupId, up_to: u64, limit: u32) -> Result<Vec<Untold>> {
        const SQL: &str = "
            SELECT outbox.group_id, outbox.version, outbox.by_user, outbox.visible, outbox.change, chat_group.name
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

    /// Groups after `last`, by id, with changes that have not been told yet; at most `limit`.
    pub(crate) async fn untold_groups(&self, last: Option<GroupId>, limit: u32) -> Result<Vec<GroupId>> {
        const SQL: &str =
            "SELECT DISTINCT group_id FROM outbox WHERE group_id > $1 ORDER BY group_id LIMIT $2";
        let groups: Vec<i64> = query_scalar(SQL)
            .bind(last.map_or(0, i64::from))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        groups.into_iter().map(|group| Ok(group.try_into()?)).collect()
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
    Ok(Untold { change, name: row.try_get("name")? })
}

/// Writes down that the message module has to learn of a change.
pub(super) async fn record(
    connection: &mut AnyConnection,
    group: GroupId,
    version: u64,
    by: UserId,
    visible: Visible,
    change: &Change,
) -> Result<()> {
    let change = serde_json::to_string(change).context("encode a change")?;
    query("INSERT INTO outbox (group_id, version, by_user, visible, change) VALUES ($1, $2, $3, $4, $5)")
        .bind(i64::from(group))
        .bind(version.cast_signed())
        .bind(i64::from(by))
        .bind(columns::visible_name(visible))
        .bind(change)
        .execute(connection)
        .await?;
    Ok(())
}
