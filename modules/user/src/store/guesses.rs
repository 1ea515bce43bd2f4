//! What is spent of the budgets against guessing, in every copy and across restarts.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::Timestamp;
use natter_host::{Result, placeholders};
use sqlx::{AssertSqlSafe, query, query_as};

use super::Store;

/// How many budgets are forgotten in one transaction, and in how many transactions of a round at most.
const FORGOTTEN_AT_ONCE: u32 = 1_000;
const TRANSACTIONS_A_ROUND: usize = 100;

impl Store {
    /// When those of the `budgets` are whole again of which something was spent.
    pub(crate) async fn budgets_whole_at(&self, budgets: &[&str]) -> Result<HashMap<String, Timestamp>> {
        let list = placeholders(1, budgets.len());
        let sql = format!("SELECT budget, whole_at FROM guessing WHERE budget IN ({list})");
        let mut found = query_as::<_, (String, i64)>(AssertSqlSafe(sql));
        for budget in budgets {
            found = found.bind(*budget);
        }
        let found = found.fetch_all(self.database.read()).await?;
        Ok(found.into_iter().map(|(budget, whole_at)| (budget, Timestamp(whole_at))).collect())
    }

    /// Spends of each of the `pieces`, a budget and what makes it whole later by so much, in the order of the budgets.
    pub(crate) async fn spend(&self, now: Timestamp, pieces: &[(&str, Duration)]) -> Result<()> {
        let rows: Vec<_> =
            (0..pieces.len()).map(|row| format!("(${}, ${})", 2 * row + 2, 2 * row + 3)).collect();
        let sql = format!(
            "INSERT INTO guessing (budget, whole_at) VALUES {} ON CONFLICT (budget) DO UPDATE SET whole_at = \
             excluded.whole_at + CASE WHEN guessing.whole_at > $1 THEN guessing.whole_at - $1 ELSE 0 END",
            rows.join(", ")
        );
        let mut spend = query(AssertSqlSafe(sql)).bind(now.0);
        for (budget, piece) in pieces {
            spend = spend.bind(*budget).bind(now.after(*piece).0);
        }
        spend.execute(self.database.write()).await?;
        Ok(())
    }

    /// Forgets the budgets that are whole again.
    pub(crate) async fn forget_whole_budgets(&self, now: Timestamp) -> Result<u64> {
        // Locked in the order in which they are spent of.
        let sql = format!(
            "DELETE FROM guessing WHERE budget IN (SELECT budget FROM guessing WHERE whole_at <= $1 \
             ORDER BY budget LIMIT $2{})",
            self.database.for_update()
        );
        let mut forgotten = 0;
        for _ in 0..TRANSACTIONS_A_ROUND {
            let some = query(AssertSqlSafe(sql.clone()))
                .bind(now.0)
                .bind(i64::from(FORGOTTEN_AT_ONCE))
                .execute(self.database.write())
                .await?
                .rows_affected();
            forgotten += some;
            if some < u64::from(FORGOTTEN_AT_ONCE) {
                break;
            }
        }
        Ok(forgotten)
    }
}
