//! Sessions that are opened again, many in one transaction: thousands come back at once when an edge died.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;
use broker_schemas::{EdgeId, SessionId, Timestamp};
use natter_host::{Result, Transaction, placeholders};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row, query, query_as};

use super::staff::roles;
use super::{OpenSession, Store, settle};
use crate::token::TokenHash;

/// What somebody asks who has the token of a session.
#[derive(Debug, Clone)]
pub(crate) struct Resumption {
    pub(crate) token: TokenHash,
    /// Replaces the token.
    pub(crate) next: TokenHash,
    pub(crate) expires_at: Timestamp,
    pub(crate) edge: Option<EdgeId>,
}

/// How many values [`store`] writes for a session.
const COLUMNS: usize = 6;

/// A session as it stands in the database, and then as it is to stand there.
struct Stored {
    /// What it is found by.
    old_id: i64,
    id: i64,
    account: i64,
    edge: Option<String>,
    token: String,
    previous_token: Option<String>,
    /// Set when it was opened again.
    expires_at: Option<Timestamp>,
}

impl Stored {
    fn opens_with(&self, token: &TokenHash) -> bool {
        self.token == token.as_str() || self.previous_token.as_deref() == Some(token.as_str())
    }

    /// Opens it again. Returns what it was before, if an edge may still hold that.
    fn reopen(&mut self, resumption: &Resumption, new_id: Option<i64>) -> Result<Option<SessionId>> {
        let (before, was_held) = (self.id, self.edge.is_some());
        self.id = new_id.unwrap_or(before);
        resumption.next.as_str().clone_into(&mut self.token);
        self.previous_token = Some(resumption.token.as_str().to_owned());
        self.expires_at = Some(resumption.expires_at);
        if let Some(edge) = &resumption.edge {
            self.edge = Some(edge.as_str().to_owned());
        }
        Ok(if was_held && before != self.id { Some(before.try_into()?) } else { None })
    }
}

impl Store {
    /// Opens the sessions of tokens again and replaces the tokens. Until the new one has been used, the one before still
    /// works: the reply that carries the new one may never arrive. For each, in order; `None` when no open session has the
    /// token.
    ///
    /// On an edge a session gets another id, which only this connection has: on the one where it was before, it has
    /// ended. A resume by who isn't on an edge leaves the session where it is.
    pub(crate) async fn resume_sessions(
        &self,
        resumptions: &[Resumption],
    ) -> Result<Vec<Option<OpenSession>>> {
        let now = Timestamp::now();
        let accounts = accounts_of(&find(self.database.read(), resumptions, now).await?);
        if accounts.is_empty() {
            return Ok(resumptions.iter().map(|_| None).collect());
        }
        let mut new_ids = Vec::with_capacity(resumptions.len());
        for resumption in resumptions {
            new_ids.push(match resumption.edge {
                Some(_) => Some(self.session_ids.next(&self.database).await?),
                None => None,
            });
        }
        let edges: BTreeSet<_> =
            resumptions.iter().filter_map(|resumption| resumption.edge.as_ref()).collect();
        let _turn = self.opening.acquire().await.context("a turn to open sessions")?;
        let mut transaction = self.database.begin().await?;
        for edge in edges {
            self.hold_edge(&mut transaction, Some(edge)).await?;
        }
        let names = self.lock_accounts(&mut transaction, &accounts).await?;
        // Again, for the accounts are locked only now.
        let mut sessions = find(&mut *transaction, resumptions, now).await?;
        sessions.retain(|session| names.contains_key(&session.account));
        let accounts = accounts_of(&sessions);
        see(&mut transaction, &accounts, now).await?;
        let roles = roles(&mut transaction, &accounts).await?;
        let mut opened = Vec::with_capacity(resumptions.len());
        for (resumption, new_id) in resumptions.iter().zip(new_ids) {
            let Some(session) = sessions.iter_mut().find(|session| session.opens_with(&resumption.token))
            else {
                opened.push(None);
                continue;
            };
            let moved_from = session.reopen(resumption, new_id)?;
            let (user, session_id) = (session.account.try_into()?, session.id.try_into()?);
            let (name, display_name) = names.get(&session.account).cloned().unwrap_or_default();
            let roles = roles.iter().filter(|(account, _)| *account == session.account);
            opened.push(Some(OpenSession {
                user,
                name,
                display_name,
                roles: roles.map(|(_, role)| *role).collect(),
                session: session_id,
                moved_from,
                displaced: Vec::new(),
                presence: Vec::new(),
            }));
        }
        store(&mut transaction, &sessions).await?;
        for change in settle(&mut transaction, &accounts).await? {
            // With one of the user's sessions, for it is told once.
            if let Some(open) = opened.iter_mut().flatten().find(|open| open.user == change.user) {
                open.presence.push(change);
            }
        }
        transaction.commit().await?;
        Ok(opened)
    }

    /// Locks accounts, in the order in which everybody locks several, and returns the names of those that exist.
    async fn lock_accounts(
        &self,
        transaction: &mut Transaction,
        accounts: &[i64],
    ) -> Result<HashMap<i64, (String, String)>> {
        let sql = format!(
            "SELECT id, name, display_name FROM account WHERE id IN ({}) ORDER BY id{}",
            placeholders(1, accounts.len()),
            self.database.for_update()
        );
        let mut lock = query_as(AssertSqlSafe(sql)).persistent(accounts.len() == 1);
        for account in accounts {
            lock = lock.bind(*account);
        }
        let locked: Vec<(i64, String, String)> = lock.fetch_all(&mut **transaction).await?;
        Ok(locked.into_iter().map(|(id, name, display_name)| (id, (name, display_name))).collect())
    }
}

/// The open sessions that have one of the tokens.
async fn find(
    connection: impl Executor<'_, Database = Any>,
    resumptions: &[Resumption],
    now: Timestamp,
) -> Result<Vec<Stored>> {
    let tokens = placeholders(2, resumptions.len());
    let sql = format!(
        "SELECT id, account, edge, token, previous_token FROM session \
         WHERE (token IN ({tokens}) OR previous_token IN ({tokens})) AND expires_at > $1"
    );
    let mut find = query(AssertSqlSafe(sql)).persistent(resumptions.len() == 1).bind(now.0);
    for resumption in resumptions {
        find = find.bind(resumption.token.as_str());
    }
    let found = find.fetch_all(connection).await?;
    let stored = |row: &AnyRow| {
        Ok(Stored {
            old_id: row.try_get("id")?,
            id: row.try_get("id")?,
            account: row.try_get("account")?,
            edge: row.try_get("edge")?,
            token: row.try_get("token")?,
            previous_token: row.try_get("previous_token")?,
            expires_at: None,
        })
    };
    found.iter().map(stored).collect()
}

/// The accounts of sessions, each once.
fn accounts_of(sessions: &[Stored]) -> Vec<i64> {
    let accounts: BTreeSet<_> = sessions.iter().map(|session| session.account).collect();
    accounts.into_iter().collect()
}

/// Writes down what became of sessions, in one statement.
async fn store(transaction: &mut Transaction, sessions: &[Stored]) -> Result<()> {
    let changed: Vec<_> = sessions.iter().filter(|session| session.expires_at.is_some()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let row = |first| format!("({})", placeholders(first, COLUMNS));
    let rows: Vec<_> = (0..changed.len()).map(|index| row(1 + index * COLUMNS)).collect();
    let sql = format!(
        "UPDATE session SET id = b.column2, token = b.column3, previous_token = b.column4, expires_at = b.column5, \
         edge = COALESCE(NULLIF(b.column6, ''), edge), \
         attached_in = (SELECT last FROM counter WHERE name = 'round') \
         FROM (VALUES {}) AS b WHERE session.id = b.column1",
        rows.join(", ")
    );
    let mut update = query(AssertSqlSafe(sql)).persistent(changed.len() == 1);
    for session in changed {
        update = update
            .bind(session.old_id)
            .bind(session.id)
            .bind(session.token.as_str())
            .bind(session.previous_token.as_deref().unwrap_or_default())
            .bind(session.expires_at.map_or(0, |expires_at| expires_at.0))
            .bind(session.edge.as_deref().unwrap_or_default());
    }
    update.execute(&mut **transaction).await?;
    Ok(())
}

/// Notes that users were seen now.
async fn see(transaction: &mut Transaction, accounts: &[i64], now: Timestamp) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let sql =
        format!("UPDATE account SET last_seen_at = $1 WHERE id IN ({})", placeholders(2, accounts.len()));
    let mut see = query(AssertSqlSafe(sql)).persistent(accounts.len() == 1).bind(now.0);
    for account in accounts {
        see = see.bind(*account);
    }
    see.execute(&mut **transaction).await?;
    Ok(())
}
