//! The audit log. Triggers keep what is in it from being changed.

use anyhow::Context;
use broker_schemas::admin::{AuditEntry, AuditOutcome};
use broker_schemas::{Code, Role, Timestamp, UserId};
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row, query};

use super::{Store, bound, next_id, to_i64};
use crate::audit::Act;

/// The code of what was done.
const OK: &str = "ok";

/// Which entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) by: Option<UserId>,
    pub(crate) on: Option<UserId>,
    pub(crate) method: Option<String>,
    pub(crate) before: Option<u64>,
}

impl Store {
    /// Writes down that an act is asked for, and returns its place in the log.
    pub(crate) async fn begin_act(&self, act: &Act) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let entry = insert(&mut transaction, act).await?;
        transaction.commit().await?;
        Ok(entry)
    }

    /// Writes down what became of it. What was written first stands.
    pub(crate) async fn end_act(&self, entry: u64, outcome: &AuditOutcome) -> Result<()> {
        let mut connection = self.database.write().acquire().await?;
        conclude(&mut connection, entry, outcome).await
    }

    /// Writes down an act and what became of it at once.
    pub(crate) async fn record_act(&self, act: &Act, outcome: &AuditOutcome) -> Result<()> {
        let mut transaction = self.begin().await?;
        let entry = insert(&mut transaction, act).await?;
        conclude(&mut transaction, entry, outcome).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Up to `limit` entries, the newest first.
    pub(crate) async fn acts(&self, filter: &Filter, limit: u32) -> Result<Vec<AuditEntry>> {
        // Each in a text of its own: with `$1 IS NULL OR …` no index would serve.
        let mut conditions = String::new();
        for (column, number, given) in [
            ("by_user", 3, filter.by.is_some()),
            ("on_user", 4, filter.on.is_some()),
            ("method", 5, filter.method.is_some()),
        ] {
            // Parameters that no condition uses must appear all the same, with a type.
            let condition = match (given, column) {
                (true, _) => format!(" AND {column} = ${number}"),
                (false, "method") => format!(" AND CAST(${number} AS TEXT) IS NULL"),
                (false, _) => format!(" AND CAST(${number} AS BIGINT) IS NULL"),
            };
            conditions.push_str(&condition);
        }
        let sql = format!(
            "SELECT id, audit.at, by_user, roles, origin, method, on_user, request, code, message
             FROM audit LEFT JOIN audit_outcome ON entry = id
             WHERE id < $1{conditions} ORDER BY id DESC LIMIT $2"
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(bound(filter.before, i64::MAX))
            .bind(i64::from(limit))
            .bind(filter.by.map(i64::from))
            .bind(filter.on.map(i64::from))
            .bind(filter.method.clone())
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(entry).collect()
    }
}

async fn insert(connection: &mut AnyConnection, act: &Act) -> Result<u64> {
    const SQL: &str = "
        INSERT INTO audit (id, at, by_user, roles, origin, method, on_user, request)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let id = next_id(connection, "audit").await?;
    let roles: Vec<_> = act.roles.iter().map(|role| role.name()).collect();
    query(SQL)
        .bind(id)
        .bind(act.at.0)
        .bind(act.by.map(i64::from))
        .bind(roles.join(","))
        .bind(storable(&act.origin))
        .bind(storable(&act.method))
        .bind(act.on.map(i64::from))
        .bind(storable(&act.request))
        .execute(connection)
        .await?;
    Ok(id.cast_unsigned())
}

async fn conclude(connection: &mut AnyConnection, entry: u64, outcome: &AuditOutcome) -> Result<()> {
    const SQL: &str = "
        INSERT INTO audit_outcome (entry, at, code, message) VALUES ($1, $2, $3, $4)
        ON CONFLICT (entry) DO NOTHING";
    let (code, message) = match outcome {
        AuditOutcome::Done => (OK, ""),
        AuditOutcome::Refused { code, message } => (code.name(), message.as_str()),
    };
    query(SQL)
        .bind(to_i64(entry))
        .bind(Timestamp::now().0)
        .bind(code)
        .bind(storable(message))
        .execute(connection)
        .await?;
    Ok(())
}

/// PostgreSQL has no text with a zero in it, and what is refused may be anything.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn entry(row: &AnyRow) -> Result<AuditEntry> {
    let user = |column| -> Result<Option<UserId>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(UserId::try_from).transpose()?)
    };
    let roles: String = row.try_get("roles")?;
    let roles = roles.split(',').filter(|name| !name.is_empty()).map(role).collect::<Result<_>>()?;
    let outcome = match row.try_get::<Option<String>, _>("code")?.as_deref() {
        None => None,
        Some(OK) => Some(AuditOutcome::Done),
        Some(code) => {
            let code = Code::ALL.into_iter().find(|known| known.name() == code).context("a code")?;
            Some(AuditOutcome::Refused { code, message: row.try_get("message")? })
        }
    };
    Ok(AuditEntry {
        entry: row.try_get::<i64, _>("id")?.cast_unsigned(),
        at: Timestamp(row.try_get("at")?),
        by: user("by_user")?,
        roles,
        from: row.try_get("origin")?,
        method: row.try_get("method")?,
        on: user("on_user")?,
        request: row.try_get("request")?,
        outcome,
    })
}

fn role(name: &str) -> Result<Role> {
    Ok(Role::ALL.into_iter().find(|role| role.name() == name).context("a role in the audit log")?)
}
