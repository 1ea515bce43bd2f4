//! What names and texts must not contain, and which module has been told.

use std::collections::HashMap;

use anyhow::Context;
use broker_schemas::admin::{NumberedRule, RULES_MAX, Rule};
use natter_host::Result;
use sqlx::{AnyConnection, query, query_as, query_scalar};

use super::{Store, next_id, to_i64};
use crate::Checked;

const VERSION: &str = "rule_version";

impl Store {
    /// The rules by id, and their version.
    pub(crate) async fn rules(&self) -> Result<(u64, Vec<NumberedRule>)> {
        // One view, so that the version is that of the rules.
        let mut transaction = self.database.snapshot().await?;
        let version: i64 = query_scalar("SELECT last FROM counter WHERE name = $1")
            .bind(VERSION)
            .fetch_one(&mut *transaction)
            .await?;
        let rules = all(&mut transaction).await?;
        transaction.commit().await?;
        Ok((version.cast_unsigned(), rules))
    }

    /// Adds a rule, unless there are [`RULES_MAX`]; its id. With it the rules must pass `check`.
    pub(crate) async fn add_rule(
        &self,
        rule: &Rule,
        check: impl FnOnce(Vec<NumberedRule>) -> Checked<()> + Send,
    ) -> Result<Option<u64>> {
        let mut transaction = self.begin().await?;
        // Whoever else changes the rules waits here.
        next_id(&mut transaction, VERSION).await?;
        let count: i64 = query_scalar("SELECT COUNT(*) FROM rule").fetch_one(&mut *transaction).await?;
        if count >= i64::try_from(RULES_MAX).unwrap_or(i64::MAX) {
            return Ok(None);
        }
        let id = next_id(&mut transaction, "rule").await?;
        query("INSERT INTO rule (id, rule) VALUES ($1, $2)")
            .bind(id)
            .bind(encode(rule)?)
            .execute(&mut *transaction)
            .await?;
        check(all(&mut transaction).await?)?;
        transaction.commit().await?;
        Ok(Some(id.cast_unsigned()))
    }

    /// Replaces a rule; `false` when there is none. With it the rules must pass `check`.
    pub(crate) async fn replace_rule(
        &self,
        id: u64,
        rule: &Rule,
        check: impl FnOnce(Vec<NumberedRule>) -> Checked<()> + Send,
    ) -> Result<bool> {
        let mut transaction = self.begin().await?;
        next_id(&mut transaction, VERSION).await?;
        let replaced = query("UPDATE rule SET rule = $2 WHERE id = $1")
            .bind(to_i64(id))
            .bind(encode(rule)?)
            .execute(&mut *transaction)
            .await?;
        if replaced.rows_affected() == 0 {
            return Ok(false);
        }
        check(all(&mut transaction).await?)?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes a rule; `false` when there is none.
    pub(crate) async fn remove_rule(&self, id: u64) -> Result<bool> {
        let mut transaction = self.begin().await?;
        next_id(&mut transaction, VERSION).await?;
        let removed =
            query("DELETE FROM rule WHERE id = $1").bind(to_i64(id)).execute(&mut *transaction).await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Which version each module has.
    pub(crate) async fn rule_holders(&self) -> Result<HashMap<String, u64>> {
        let rows: Vec<(String, i64)> =
            query_as("SELECT module, version FROM rule_holder").fetch_all(self.database.read()).await?;
        Ok(rows.into_iter().map(|(module, version)| (module, version.cast_unsigned())).collect())
    }

    /// Notes that a module has a version.
    pub(crate) async fn rules_held(&self, module: &str, version: u64) -> Result<()> {
        const SQL: &str = "
            INSERT INTO rule_holder (module, version) VALUES ($1, $2)
            ON CONFLICT (module) DO UPDATE SET version = excluded.version
            WHERE rule_holder.version < excluded.version";
        query(SQL).bind(module).bind(to_i64(version)).execute(self.database.write()).await?;
        Ok(())
    }
}

async fn all(connection: &mut AnyConnection) -> Result<Vec<NumberedRule>> {
    let rows: Vec<(i64, String)> =
        query_as("SELECT id, rule FROM rule ORDER BY id").fetch_all(connection).await?;
    let numbered = |(id, rule): (i64, String)| {
        let rule = serde_json::from_str(&rule).context("a rule in the database")?;
        Ok(NumberedRule { id: id.cast_unsigned(), rule })
    };
    rows.into_iter().map(numbered).collect()
}

fn encode(rule: &Rule) -> Result<String> {
    Ok(serde_json::to_string(rule).context("encode a rule")?)
}
