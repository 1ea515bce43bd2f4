//! The full text search, which is the database's own: FTS5 in SQLite, `tsvector` in PostgreSQL. Here their SQL differs.

use broker_schemas::message::Entry;
use broker_schemas::{Conversation, Seq, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::AssertSqlSafe;

use super::members::LIVE_FIRST;
use super::rows::{ENTRY, NOTHING, entry, listing, padded, placeholders};
use super::{Result, Store};
use crate::page::Page;
use crate::words;

/// How many of a user's conversations are searched: the first ones in the order of [`LIVE_FIRST`].
const SEARCHED: i64 = 1_024;

/// What to find.
#[derive(Debug)]
pub(crate) struct Hits {
    /// For whom.
    pub(crate) user: UserId,
    /// As [`words::question`] makes it.
    pub(crate) question: String,
    /// Only there.
    pub(crate) conversation: Option<Conversation>,
    /// How many of the newest to leave out.
    pub(crate) skip: u32,
}

impl Store {
    /// Puts the words of messages into the index.
    pub(crate) async fn index(&self, transaction: &mut Transaction, entries: &[Entry]) -> Result<()> {
        let indexed: Vec<_> = entries
            .iter()
            .map(|entry| (entry, words::indexed(entry.conversation, entry.seq, &entry.text)))
            .filter(|(_, words)| !words.is_empty())
            .collect();
        if indexed.is_empty() {
            return Ok(());
        }
        let rows = padded(indexed.len());
        let words = match self.dialect() {
            Dialect::Sqlite => "column4",
            Dialect::Postgres => "array_to_tsvector(string_to_array(column4, ' '))",
        };
        let sql = format!(
            "INSERT INTO search (conversation, seq, sent_at, words) \
             SELECT column1, column2, column3, {words} FROM (VALUES {}) AS b WHERE column1 <> ''",
            placeholders(Dialect::of(transaction), rows, 4)
        );
        let padding = rows - indexed.len();
        let mut query = listing(sql, rows);
        for (entry, words) in indexed {
            query = query
                .bind(entry.conversation.to_string())
                .bind(i64::from(entry.seq))
                .bind(entry.sent_at.0)
                .bind(words);
        }
        for _ in 0..padding {
            query = query.bind(NOTHING).bind(0_i64).bind(0_i64).bind(NOTHING);
        }
        query.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Takes the words of a message out of the index.
    pub(crate) async fn unindex(
        &self,
        transaction: &mut Transaction,
        conversation: Conversation,
        seq: Seq,
    ) -> Result<()> {
        let query = match self.dialect() {
            Dialect::Sqlite => sqlx::query(
                "DELETE FROM search WHERE rowid IN (SELECT rowid FROM search WHERE search MATCH $1)",
            )
            .bind(format!("\"{}\"", words::place(conversation, seq))),
            Dialect::Postgres => sqlx::query("DELETE FROM search WHERE conversation = $1 AND seq = $2")
                .bind(conversation.to_string())
                .bind(i64::from(seq)),
        };
        query.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Fills the page with what a user finds, newest first.
    pub(crate) async fn find(&self, snapshot: &mut Transaction, page: &mut Page, hits: &Hits) -> Result<()> {
        // The index is asked once for each conversation, for words that begin with it. The rows of members say in which, and
        // from which message on.
        let question = format!("replace($2, '{}', b.conversation || '-')", words::SCOPE);
        let matches = match self.dialect() {
            Dialect::Sqlite => format!("s.search MATCH {question}"),
            Dialect::Postgres => format!("s.words @@ CAST({question} AS TSQUERY)"),
        };
        let only = if hits.conversation.is_some() { "AND b.conversation = $5" } else { "" };
        let sql = format!(
            "SELECT {ENTRY} FROM ( \
                 SELECT s.conversation, s.seq, s.sent_at FROM ( \
                     SELECT b.conversation, b.first_seq FROM member b JOIN conversation c ON c.id = b.conversation \
                     WHERE b.user_id = $1 {only} ORDER BY {LIVE_FIRST} LIMIT {SEARCHED} \
                 ) AS b CROSS JOIN search s WHERE {matches} AND s.seq >= b.first_seq \
                 ORDER BY s.sent_at DESC, s.conversation, s.seq DESC LIMIT $3 OFFSET $4 \
             ) AS f JOIN message m ON m.conversation = f.conversation AND m.seq = f.seq \
             ORDER BY f.sent_at DESC, f.conversation, f.seq DESC"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(hits.user))
            .bind(hits.question.clone())
            .bind(super::messages::one_more(page))
            .bind(i64::from(hits.skip));
        if let Some(conversation) = hits.conversation {
            query = query.bind(conversation.to_string());
        }
        Self::fill(snapshot, page, query).await
    }

    /// Indexes messages that were there before the search was, at most `limit`; returns how many.
    pub(crate) async fn index_older(&self, limit: u32) -> Result<usize> {
        // Most starts find none, and need not wait for their turn to write.
        let any = sqlx::query("SELECT 1 FROM message WHERE indexed = 0 LIMIT 1");
        if any.fetch_optional(self.database.read()).await?.is_none() {
            return Ok(0);
        }
        let mut transaction = self.begin().await?;
        let skip_locked = match self.dialect() {
            Dialect::Sqlite => "",
            // Another copy, which starts as well, is at those.
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        };
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM message m WHERE m.indexed = 0 ORDER BY m.conversation, m.seq LIMIT $1{skip_locked}"
        )))
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?;
        let entries = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
        if entries.is_empty() {
            return Ok(0);
        }
        self.index(&mut transaction, &entries).await?;
        let rows = padded(entries.len());
        let sql = format!(
            "UPDATE message SET indexed = 1 WHERE (conversation, seq) IN (VALUES {})",
            placeholders(self.dialect(), rows, 2)
        );
        let mut query = listing(sql, rows);
        for entry in &entries {
            query = query.bind(entry.conversation.to_string()).bind(i64::from(entry.seq));
        }
        for _ in entries.len()..rows {
            query = query.bind(NOTHING).bind(0_i64);
        }
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(entries.len())
    }
}
