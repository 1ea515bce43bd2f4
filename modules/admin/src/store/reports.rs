//! What users report.

use anyhow::Context;
use broker_schemas::admin::{Report, Settled, Subject, TakeReport};
use broker_schemas::{Timestamp, UserId};
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row, query, query_as, query_scalar};

use super::{Store, bound, next_id, to_i64};

const COLUMNS: &str = "id, about, by_user, reason, made_at, times, settled_by, settled_at, note";

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Taken,
    /// The user made as many as one may; this was the first of them.
    TooMany {
        first: Timestamp,
    },
}

impl Store {
    /// Takes a report, unless its author made `most` others since a moment, or rules made as many about whom it is about. The
    /// same one again changes nothing.
    pub(crate) async fn take_report(
        &self,
        report: &TakeReport,
        now: Timestamp,
        since: Timestamp,
        most: u32,
    ) -> Result<Taken> {
        const FIND: &str = "SELECT id FROM report WHERE subject = $1 AND settled_at IS NULL";
        const OPEN: &str = "
            INSERT INTO report (id, subject, about, by_user, reason, made_at, times)
            VALUES ($1, $2, $3, $4, $5, $6, 0)";
        const JOIN: &str = "
            INSERT INTO reporter (report_id, user_id, at) VALUES ($1, $2, $3)
            ON CONFLICT (report_id, user_id) DO NOTHING";
        let (subject, reporter) = (name(&report.about), reporter(report));
        let mut transaction = self.begin().await?;
        // Reports are taken one after the other: two of the same are one, and a limit is one.
        let id = next_id(&mut transaction, "report").await?;
        let open: Option<i64> = query_scalar(FIND).bind(&subject).fetch_optional(&mut *transaction).await?;
        let report_id = open.unwrap_or(id);
        if open.is_some() && has_reported(&mut transaction, report_id, reporter).await? {
            return Ok(Taken::Taken);
        }
        if let Some(first) = limit_reached(&mut transaction, reporter, since, most).await? {
            return Ok(Taken::TooMany { first });
        }
        if open.is_none() {
            query(OPEN)
                .bind(report_id)
                .bind(&subject)
                .bind(serde_json::to_string(&report.about).context("encode what is reported")?)
                .bind(reporter)
                .bind(report.reason.to_string())
                .bind(now.0)
                .execute(&mut *transaction)
                .await?;
        }
        query(JOIN).bind(report_id).bind(reporter).bind(now.0).execute(&mut *transaction).await?;
        query("UPDATE report SET times = times + 1 WHERE id = $1")
            .bind(report_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Taken::Taken)
    }

    /// Up to `limit` open reports, the oldest first; or settled ones, the newest first.
    pub(crate) async fn reports(&self, settled: bool, after: Option<u64>, limit: u32) -> Result<Vec<Report>> {
        let (which, after) = if settled {
            ("settled_at IS NOT NULL AND id < $1 ORDER BY id DESC", bound(after, i64::MAX))
        } else {
            ("settled_at IS NULL AND id > $1 ORDER BY id", bound(after, 0))
        };
        let sql = format!("SELECT {COLUMNS} FROM report WHERE {which} LIMIT $2");
        let rows = query(AssertSqlSafe(sql))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(report).collect()
    }

    /// Closes a report, if it is open; then as it is now. `None` when there is none.
    pub(crate) async fn settle_report(
        &self,
        id: u64,
        by: UserId,
        note: &str,
        now: Timestamp,
    ) -> Result<Option<Report>> {
        const SQL: &str = "
            UPDATE report SET settled_by = $2, settled_at = $3, note = $4 WHERE id = $1 AND settled_at IS NULL";
        let mut transaction = self.begin().await?;
        query(SQL)
            .bind(to_i64(id))
            .bind(i64::from(by))
            .bind(now.0)
            .bind(note)
            .execute(&mut *transaction)
            .await?;
        let row = query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM report WHERE id = $1")))
            .bind(to_i64(id))
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.commit().await?;
        row.as_ref().map(report).transpose()
    }
}

async fn has_reported(connection: &mut AnyConnection, report: i64, reporter: i64) -> Result<bool> {
    let found: Option<i64> =
        query_scalar("SELECT user_id FROM reporter WHERE report_id = $1 AND user_id = $2")
            .bind(report)
            .bind(reporter)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// When the first of the reporter's reports since a moment was made, if there are as many as one may make.
async fn limit_reached(
    connection: &mut AnyConnection,
    reporter: i64,
    since: Timestamp,
    most: u32,
) -> Result<Option<Timestamp>> {
    let (count, first): (i64, Option<i64>) =
        query_as("SELECT COUNT(*), MIN(at) FROM reporter WHERE user_id = $1 AND at > $2")
            .bind(reporter)
            .bind(since.0)
            .fetch_one(connection)
            .await?;
    Ok(first.filter(|_| count >= i64::from(most)).map(Timestamp))
}

/// Who reports, as the tables name it: the user; or, below 0, the rules that report somebody. So what rules report counts as
/// nobody's report, and however much somebody writes that a rule reports, the queue has only so much of it.
fn reporter(report: &TakeReport) -> i64 {
    let about = match report.about {
        Subject::User(user) | Subject::Message { from: user, .. } => user,
    };
    report.by.map_or_else(|| -i64::from(about), i64::from)
}

/// What is reported, as the column `subject` names it.
fn name(about: &Subject) -> String {
    match about {
        Subject::User(user) => format!("user:{user}"),
        Subject::Message { conversation, seq, .. } => format!("message:{conversation}:{seq}"),
    }
}

fn report(row: &AnyRow) -> Result<Report> {
    let about: String = row.try_get("about")?;
    let settled_by: Option<i64> = row.try_get("settled_by")?;
    let settled_at: Option<i64> = row.try_get("settled_at")?;
    let settled = match settled_by.zip(settled_at) {
        Some((by, at)) => Some(Settled {
            by: by.try_into()?,
            at: Timestamp(at),
            note: row.try_get::<Option<String>, _>("note")?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Report {
        report: row.try_get::<i64, _>("id")?.cast_unsigned(),
        by: Some(row.try_get::<i64, _>("by_user")?).filter(|by| *by > 0).map(UserId::try_from).transpose()?,
        times: u32::try_from(row.try_get::<i64, _>("times")?).unwrap_or(u32::MAX),
        about: serde_json::from_str(&about).context("a report in the database")?,
        reason: row.try_get("reason")?,
        made_at: Timestamp(row.try_get("made_at")?),
        settled,
    })
}
