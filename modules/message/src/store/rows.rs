//! Rows to types and back, and lists of rows in statements.

use std::fmt::Write as _;

use anyhow::Context;
use broker_schemas::message::{Entry, Payload};
use broker_schemas::rights::Role;
use broker_schemas::{Conversation, Seq, Text, Timestamp, UserId, group};
use natter_host::Dialect;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};
use uuid::Uuid;

use super::Result;
use crate::access::{Member, Place, Seat};

pub(super) type Query<'q> = sqlx::query::Query<'q, Any, sqlx::any::AnyArguments>;

/// The id of no conversation, and the `client_id` of no message: what a padding row holds.
pub(super) const NOTHING: &str = "";

/// What the column `open` holds of a conversation in which the platform's own account alone writes.
pub(super) const ONE_WAY: i64 = 2;

/// What [`entry`] reads, of the table `message m`.
pub(super) const ENTRY: &str = "m.conversation, m.seq, m.sender, m.client_id, m.body, m.sent_at, m.extras, m.data, \
                                m.edited_at, m.recalled_by, m.revision";

/// What [`seat`] reads, of the tables `conversation c` and `member b`.
pub(super) const SEAT: &str = "c.id, c.last_seq, c.open, c.gate_version, c.muted_until, c.revision, \
                               b.role, b.first_seq, b.read_seq, b.since, b.muted_until";

/// Statements with more rows in their list are prepared anew each time, for what a connection keeps prepared stays in memory:
/// a hundred statements, of which the longest take hundreds of KiB. That costs little beside what so many rows cost.
const KEPT_ROWS: usize = 32;

/// So many rows are written for `rows`: the next power of two. A statement is prepared once per length of its list; with
/// every length up to [`KEPT_ROWS`] most would be prepared anew.
pub(super) const fn padded(rows: usize) -> usize {
    rows.next_power_of_two()
}

/// The first arguments of a statement as a list: `rows` rows of `columns`.
///
/// For SQLite they have no numbers. To it, `$1` is a name, and with each of thousands of names SQLite looks for it among all
/// of them, twice: a batch took three times as long.
pub(super) fn placeholders(dialect: Dialect, rows: usize, columns: usize) -> String {
    let mut sql = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            sql.push_str(if column == 1 { "" } else { ", " });
            match dialect {
                Dialect::Sqlite => sql.push('?'),
                // Writing to a string can't fail.
                Dialect::Postgres => drop(write!(sql, "${}", row * columns + column)),
            }
        }
        sql.push(')');
    }
    sql
}

/// A statement with a list of `rows` rows.
pub(super) fn listing<'q>(sql: String, rows: usize) -> Query<'q> {
    sqlx::query(AssertSqlSafe(sql)).persistent(rows <= KEPT_ROWS)
}

/// A statement with users as its first `rows` arguments; the id of nobody where there are fewer.
pub(super) fn bound_users<'u>(
    query: Query<'_>,
    users: impl IntoIterator<Item = &'u UserId>,
    rows: usize,
) -> Query<'_> {
    let ids = users.into_iter().map(|user| i64::from(*user)).chain(std::iter::repeat(0));
    ids.take(rows).fold(query, Query::bind)
}

/// What is in the column `extras`: what few messages have.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Extras {
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<Seq>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<UserId>,
    /// Of the payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<group::Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<u64>,
}

fn read_extras(text: Option<&str>) -> Result<Extras> {
    let extras = text.map(serde_json::from_str).transpose().context("a message's extras in the database")?;
    Ok(extras.unwrap_or_default())
}

/// The column `extras` of `entry`; nothing for a plain text.
pub(super) fn extras(entry: &Entry) -> Result<String> {
    let extras = Extras {
        quote: entry.quote,
        mentions: entry.mentions.clone(),
        kind: entry.payload.as_ref().map(|payload| payload.kind.to_string()),
        notice: entry.notice.clone(),
        campaign: entry.campaign,
    };
    if extras == Extras::default() {
        return Ok(NOTHING.to_owned());
    }
    Ok(serde_json::to_string(&extras).context("a message's extras")?)
}

/// What the column `client_id` of a message holds.
pub(super) fn key(client_id: Uuid) -> String {
    client_id.simple().to_string()
}

/// What it holds of a notice: no UUID has a slash, so no client can be in the way of one.
pub(super) fn notice_key(conversation: Conversation, version: u64) -> String {
    format!("{conversation}/{version}")
}

pub(super) fn role_number(role: Role) -> i64 {
    match role {
        Role::Member => 0,
        Role::Administrator => 1,
        Role::Owner => 2,
    }
}

fn role(number: i64) -> Result<Role> {
    match number {
        0 => Ok(Role::Member),
        1 => Ok(Role::Administrator),
        2 => Ok(Role::Owner),
        other => Err(anyhow::anyhow!("role {other} in the database").into()),
    }
}

pub(super) fn conversation(row: &AnyRow, column: usize) -> Result<Conversation> {
    let id: String = row.try_get(column)?;
    Ok(id.parse().map_err(|error| anyhow::anyhow!("conversation {id} in the database: {error}"))?)
}

pub(super) fn user(row: &AnyRow, column: usize) -> Result<UserId> {
    Ok(UserId::try_from(row.try_get::<i64, _>(column)?)?)
}

pub(super) fn number(row: &AnyRow, column: usize) -> Result<u64> {
    let number: i64 = row.try_get(column)?;
    Ok(u64::try_from(number).context("a number in the database")?)
}

/// `last_seq`, `open`, `gate_version`, `muted_until`, `revision` of a conversation, from `column` on.
pub(super) fn place(row: &AnyRow, column: usize) -> Result<Place> {
    Ok(Place {
        last_seq: number(row, column)?,
        is_open: row.try_get::<i64, _>(column + 1)? == 1,
        is_one_way: row.try_get::<i64, _>(column + 1)? == ONE_WAY,
        version: number(row, column + 2)?,
        muted_until: Timestamp(row.try_get(column + 3)?),
        revision: number(row, column + 4)?,
    })
}

/// `role`, `first_seq`, `read_seq`, `since`, `muted_until` of a member, from `column` on.
pub(super) fn member(row: &AnyRow, column: usize) -> Result<Member> {
    Ok(Member {
        role: role(row.try_get(column)?)?,
        first_seq: number(row, column + 1)?,
        read_seq: number(row, column + 2)?,
        since: number(row, column + 3)?,
        muted_until: Timestamp(row.try_get(column + 4)?),
    })
}

pub(super) fn seat(row: &AnyRow) -> Result<Seat> {
    Ok(Seat { conversation: conversation(row, 0)?, place: place(row, 1)?, member: member(row, 6)? })
}

/// A message, without its reactions.
pub(super) fn entry(row: &AnyRow) -> Result<Entry> {
    let (extras, data): (Option<String>, Option<String>) = (row.try_get(6)?, row.try_get(7)?);
    let Extras { quote, mentions, kind, notice, campaign } = read_extras(extras.as_deref())?;
    let client_id: String = row.try_get(3)?;
    let client_id = match notice {
        Some(_) => None,
        None => Some(client_id.parse().context("a client_id in the database")?),
    };
    let too_long = |error: String| anyhow::anyhow!("a payload in the database: {error}");
    let payload = match kind {
        Some(kind) => Some(Payload {
            kind: Text::new(kind).map_err(too_long)?,
            data: Text::new(data.unwrap_or_default()).map_err(too_long)?,
        }),
        None => None,
    };
    Ok(Entry {
        conversation: conversation(row, 0)?,
        seq: Seq::try_from(row.try_get::<i64, _>(1)?)?,
        from: user(row, 2)?,
        client_id,
        text: row.try_get(4)?,
        sent_at: Timestamp(row.try_get(5)?),
        quote,
        mentions,
        payload,
        notice,
        edited_at: row.try_get::<Option<i64>, _>(8)?.map(Timestamp),
        recalled_by: row.try_get::<Option<i64>, _>(9)?.map(UserId::try_from).transpose()?,
        reactions: Vec::new(),
        revision: number(row, 10)?,
        campaign,
    })
}

/// How many bytes of a page a message takes, for the bound of [`crate::page`].
pub(super) fn size(row: &AnyRow) -> Result<usize> {
    let length =
        |column| -> Result<usize> { Ok(row.try_get::<Option<&str>, _>(column)?.map_or(0, str::len)) };
    Ok(length(4)? + length(6)? + length(7)?)
}

/// The payload's kind and the notice of a message, from its column `extras`.
pub(super) fn kind_and_notice(extras: Option<&str>) -> Result<(Option<String>, Option<group::Change>)> {
    let extras = read_extras(extras)?;
    Ok((extras.kind, extras.notice))
}
