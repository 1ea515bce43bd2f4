//! Which edge holds which session, and whether the edge is still there.
//!
//! No clock decides here, for clocks of machines differ: an edge lives while its count of reports grows.

use std::collections::BTreeSet;

use broker_schemas::caller::Role;
use broker_schemas::user::PresenceChanged;
use broker_schemas::{EdgeId, SessionId, Timestamp, UserId};
use natter_host::{Result, Transaction, placeholders};
use sqlx::{AssertSqlSafe, query, query_as, query_scalar};

use super::sessions::lock;
use super::staff::role;
use super::{Store, next_id, settle};

/// A session that its edge has not renewed for this many rounds is not on it: the reply to the sign-in never reached
/// the edge. A round lasts a minute, shorter with several copies of the module; an edge renews a passport within the
/// ten minutes that it lasts at most.
const ROUNDS_UNTIL_LOST: i64 = 60;
/// How many rounds pass before a renewal is written down: renewals are many, and most have nothing new to say.
const ROUNDS_UNTIL_RENEWED: i64 = 5;

/// An edge and how often it has reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) id: String,
    pub(crate) reports: i64,
}

/// What a report changed.
#[derive(Debug)]
pub(crate) struct Report {
    /// The edge's first report, or its first since it was given up.
    pub(crate) is_first: bool,
    pub(crate) presence: Vec<PresenceChanged>,
}

/// A session that goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Renewed {
    pub(crate) roles: Vec<Role>,
    pub(crate) presence: Vec<PresenceChanged>,
}

impl Store {
    /// Counts a report of `edge`, on which the sessions `closed` ended.
    pub(crate) async fn report(&self, edge: &EdgeId, closed: &[SessionId]) -> Result<Report> {
        let mut transaction = self.database.begin().await?;
        let reports: i64 = query_scalar(
            "INSERT INTO edge (id, reports) VALUES ($1, 1) \
             ON CONFLICT (id) DO UPDATE SET reports = edge.reports + 1 RETURNING reports",
        )
        .bind(edge.as_str())
        .fetch_one(&mut *transaction)
        .await?;
        let mut presence = Vec::new();
        if !closed.is_empty() {
            // A session that has moved to another edge since is no longer this one's to close.
            let condition = format!("edge = $1 AND id IN ({})", placeholders(2, closed.len()));
            let closed: Vec<_> = closed.iter().map(|session| i64::from(*session)).collect();
            presence =
                detach(&mut transaction, self.database.for_update(), &condition, edge.as_str(), &closed)
                    .await?;
        }
        transaction.commit().await?;
        Ok(Report { is_first: reports == 1, presence })
    }

    /// Notes that `edge`, if one asks, holds a session. `None` when the session has ended.
    pub(crate) async fn renew_session(
        &self,
        user: UserId,
        session: SessionId,
        edge: Option<&EdgeId>,
    ) -> Result<Option<Renewed>> {
        // A row for each role, or one for none.
        let found: Vec<(Option<String>, i64, Option<String>)> = query_as(
            "SELECT edge, (SELECT last FROM counter WHERE name = 'round') - attached_in, staff.role \
             FROM session LEFT JOIN staff ON staff.account = session.account \
             WHERE session.id = $1 AND session.account = $2 AND session.expires_at > $3 ORDER BY staff.role",
        )
        .bind(i64::from(session))
        .bind(i64::from(user))
        .bind(Timestamp::now().0)
        .fetch_all(self.database.read())
        .await?;
        let roles = found.iter().filter_map(|(_, _, name)| name.as_deref());
        let roles = roles.map(role).collect::<Result<Vec<_>>>()?;
        let Some((holder, age, _)) = found.into_iter().next() else { return Ok(None) };
        let Some(edge) = edge else { return Ok(Some(Renewed { roles, presence: Vec::new() })) };
        match holder {
            None => {}
            Some(holder) if holder == edge.as_str() && age >= ROUNDS_UNTIL_RENEWED => {}
            // Noted already; or resumed on another edge, and what is left here is a connection that broke.
            Some(_) => return Ok(Some(Renewed { roles, presence: Vec::new() })),
        }
        let mut transaction = self.database.begin().await?;
        self.hold_edge(&mut transaction, Some(edge)).await?;
        lock(&mut transaction, user).await?;
        let attached = query(
            "UPDATE session SET edge = $1, attached_in = (SELECT last FROM counter WHERE name = 'round') \
             WHERE id = $2 AND account = $3",
        )
        .bind(edge.as_str())
        .bind(i64::from(session))
        .bind(i64::from(user))
        .execute(&mut *transaction)
        .await?;
        if attached.rows_affected() == 0 {
            return Ok(None);
        }
        let presence = settle(&mut transaction, &[user.into()]).await?;
        transaction.commit().await?;
        Ok(Some(Renewed { roles, presence }))
    }

    /// Every edge that counts as alive.
    pub(crate) async fn edges(&self) -> Result<Vec<Edge>> {
        let edges: Vec<(String, i64)> =
            query_as("SELECT id, reports FROM edge").fetch_all(self.database.read()).await?;
        Ok(edges.into_iter().map(|(id, reports)| Edge { id, reports }).collect())
    }

    /// Counts the sessions of an edge as closed, unless it has reported since, or another copy of the module was
    /// faster.
    pub(crate) async fn give_up(&self, edge: &Edge) -> Result<Vec<PresenceChanged>> {
        let mut transaction = self.database.begin().await?;
        let gone = query("DELETE FROM edge WHERE id = $1 AND reports = $2")
            .bind(&edge.id)
            .bind(edge.reports)
            .execute(&mut *transaction)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        let presence =
            detach(&mut transaction, self.database.for_update(), "edge = $1", &edge.id, &[]).await?;
        transaction.commit().await?;
        Ok(presence)
    }

    /// Begins a round, and counts the sessions as closed that their edge has not renewed for too long.
    pub(crate) async fn begin_round(&self) -> Result<Vec<PresenceChanged>> {
        let mut transaction = self.database.begin().await?;
        let round = next_id(&mut transaction, "round").await?;
        let condition = "edge <> $1 AND attached_in < $2";
        let presence =
            detach(&mut transaction, self.database.for_update(), condition, "", &[round - ROUNDS_UNTIL_LOST])
                .await?;
        transaction.commit().await?;
        Ok(presence)
    }

    /// Has the edge's row ready for a session that is about to be attached, and keeps it: the edge can't be given up before the
    /// session is there to be detached with the others. Others may do the same meanwhile, and the edge may report.
    pub(super) async fn hold_edge(&self, transaction: &mut Transaction, edge: Option<&EdgeId>) -> Result<()> {
        let Some(edge) = edge else { return Ok(()) };
        let held = format!("SELECT reports FROM edge WHERE id = $1{}", self.database.for_key_share());
        let find = || query_scalar::<_, i64>(AssertSqlSafe(held.clone())).bind(edge.as_str());
        while find().fetch_optional(&mut **transaction).await?.is_none() {
            query("INSERT INTO edge (id, reports) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING")
                .bind(edge.as_str())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// How many sessions edges hold.
    pub(crate) async fn attached_sessions(&self) -> Result<i64> {
        let count = query_scalar("SELECT COUNT(*) FROM session WHERE edge IS NOT NULL")
            .fetch_one(self.database.read())
            .await?;
        Ok(count)
    }
}

/// Detaches the sessions for which `condition` holds, `$1` being `text` and `$2`, … the `numbers`. No session may come
/// to fulfil it meanwhile.
async fn detach(
    transaction: &mut Transaction,
    for_update: &str,
    condition: &str,
    text: &str,
    numbers: &[i64],
) -> Result<Vec<PresenceChanged>> {
    // In the order in which everybody locks several.
    let lock = format!(
        "SELECT id FROM account WHERE id IN (SELECT account FROM session WHERE {condition}) ORDER BY id{for_update}"
    );
    let mut lock = query_scalar::<_, i64>(AssertSqlSafe(lock)).persistent(numbers.len() < 2).bind(text);
    for number in numbers {
        lock = lock.bind(*number);
    }
    if lock.fetch_all(&mut **transaction).await?.is_empty() {
        return Ok(Vec::new());
    }
    let detach = format!("UPDATE session SET edge = NULL WHERE {condition} RETURNING account");
    let mut detach = query_scalar(AssertSqlSafe(detach)).persistent(numbers.len() < 2).bind(text);
    for number in numbers {
        detach = detach.bind(*number);
    }
    let users: BTreeSet<i64> = detach.fetch_all(&mut **transaction).await?.into_iter().collect();
    settle(transaction, &users.into_iter().collect::<Vec<_>>()).await
}
