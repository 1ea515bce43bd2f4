//! Looking over all accounts, for those who write to many or want to know how many there are.

use anyhow::Context;
use broker_schemas::admin::EdgeSessions;
use broker_schemas::user::{Census, FindUsers};
use broker_schemas::{EdgeId, Timestamp, UserId};
use natter_host::{Result, placeholders};
use sqlx::{Any, AssertSqlSafe, query_as, query_scalar};

use super::Store;

type Scalar<'q> = sqlx::query::QueryScalar<'q, Any, i64, sqlx::any::AnyArguments>;

/// Accounts after `$1`, but not the platform's own, nor those who are banned at `$2`; who signed up from `$3` to `$4`, and was
/// last seen from `$5` to `$6`. [`Among`] follows.
const FOUND: &str = "
    FROM account WHERE id > $1 AND is_system = 0 AND (banned_until IS NULL OR banned_until <= $2)
    AND created_at >= $3 AND created_at < $4
    AND CASE WHEN online = 1 THEN $2 ELSE last_seen_at END >= $5
    AND CASE WHEN online = 1 THEN $2 ELSE last_seen_at END < $6";

/// The accounts that alone are asked for, as arguments from `$7` on; none when any may be.
///
/// A statement is prepared once per length of its list: powers of two keep the lengths few, and 0 is nobody's id.
struct Among(Vec<i64>);

impl Among {
    fn of(request: &FindUsers) -> Self {
        let Some(users) = &request.among else { return Self(Vec::new()) };
        let mut ids: Vec<_> = users.iter().map(|user| i64::from(*user)).collect();
        ids.resize(ids.len().next_power_of_two(), 0);
        Self(ids)
    }

    /// Whether a statement with the list is worth being kept prepared, which takes memory for good.
    fn is_short(&self) -> bool {
        self.0.len() <= 32
    }

    fn condition(&self) -> String {
        match self.0.len() {
            0 => String::new(),
            length => format!("AND id IN ({})", placeholders(7, length)),
        }
    }
}

impl Store {
    /// The first users that `request` asks for, by id.
    pub(crate) async fn find_users(&self, request: &FindUsers, now: Timestamp) -> Result<Vec<UserId>> {
        let among = Among::of(request);
        let limit = 7 + among.0.len();
        let sql = format!("SELECT id {FOUND} {} ORDER BY id LIMIT ${limit}", among.condition());
        let found = query_scalar(AssertSqlSafe(sql)).persistent(among.is_short());
        let found = bind(found, request, &among, now);
        let found = found.bind(i64::from(request.limit));
        let users = found.fetch_all(self.database.read()).await?;
        users.into_iter().map(|user| Ok(user.try_into()?)).collect()
    }

    /// How many users `request` asks for, its limit aside.
    pub(crate) async fn count_found(&self, request: &FindUsers, now: Timestamp) -> Result<u64> {
        let among = Among::of(request);
        let sql = format!("SELECT COUNT(*) {FOUND} {}", among.condition());
        let count = query_scalar(AssertSqlSafe(sql)).persistent(among.is_short());
        let count = bind(count, request, &among, now);
        count_of(count.fetch_one(self.database.read()).await?)
    }

    /// Accounts and sessions; the platform's own account isn't counted.
    pub(crate) async fn census(&self) -> Result<Census> {
        const ACCOUNTS: &str = "
            SELECT COUNT(*), COUNT(CASE WHEN online = 1 THEN 1 END) FROM account WHERE is_system = 0";
        const EDGES: &str = "
            SELECT edge, COUNT(*) FROM session WHERE edge IS NOT NULL GROUP BY edge ORDER BY edge";
        let mut snapshot = self.database.snapshot().await?;
        let (accounts, online): (i64, i64) = query_as(ACCOUNTS).fetch_one(&mut *snapshot).await?;
        let edges: Vec<(String, i64)> = query_as(EDGES).fetch_all(&mut *snapshot).await?;
        snapshot.commit().await?;
        let edge = |(edge, sessions): (String, i64)| {
            let edge = EdgeId::new(edge).map_err(anyhow::Error::msg).context("an edge in the database")?;
            Ok(EdgeSessions { edge, sessions: count_of(sessions)? })
        };
        Ok(Census {
            accounts: count_of(accounts)?,
            online: count_of(online)?,
            edges: edges.into_iter().map(edge).collect::<Result<_>>()?,
        })
    }
}

fn bind<'q>(query: Scalar<'q>, request: &FindUsers, among: &Among, now: Timestamp) -> Scalar<'q> {
    let from = |from: Option<Timestamp>| from.map_or(i64::MIN, |from| from.0);
    let to = |to: Option<Timestamp>| to.map_or(i64::MAX, |to| to.0);
    let query = query
        .bind(request.after.map_or(0, i64::from))
        .bind(now.0)
        .bind(from(request.signed_up.from))
        .bind(to(request.signed_up.to))
        .bind(from(request.last_seen.from))
        .bind(to(request.last_seen.to));
    among.0.iter().fold(query, |query, id| query.bind(*id))
}

fn count_of(number: i64) -> Result<u64> {
    Ok(u64::try_from(number).context("a count in the database")?)
}
