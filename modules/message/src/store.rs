//! All SQL of the module; one text for SQLite and PostgreSQL.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anyhow::Context;
use broker_schemas::message::{ConversationEntry, Entry};
use broker_schemas::{Conversation, Seq, Timestamp, UserId};
use natter_host::{Database, Failure, Transaction};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};
use uuid::Uuid;

pub(crate) const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "conversations", include_str!("../migrations/0001_conversations.sql"))];

const ENTRY: &str = "m.conversation, m.seq, m.sender, m.client_id, m.body, m.sent_at";

/// The module's tables.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

/// A message that was stored before, as far as a repeated send needs it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) conversation: Conversation,
    pub(crate) seq: Seq,
    pub(crate) sent_at: Timestamp,
    pub(crate) text: String,
}

type Result<T> = std::result::Result<T, Failure>;
type Query<'q> = sqlx::query::Query<'q, Any, sqlx::any::AnyArguments>;

impl Store {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    pub(crate) async fn begin(&self) -> Result<Transaction> {
        Ok(self.database.begin().await?)
    }

    /// Sets the gate of a direct conversation, unless a newer one is known, and makes the conversation if it is new.
    pub(crate) async fn set_gate(&self, conversation: Conversation, open: bool, version: u64) -> Result<()> {
        let Some((a, b)) = conversation.pair() else { return Ok(()) };
        let mut transaction = self.begin().await?;
        let id = conversation.to_string();
        let set = sqlx::query(
            "INSERT INTO conversation (id, last_seq, last_at, open, gate_version) VALUES ($1, 0, 0, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, gate_version = excluded.gate_version \
             WHERE conversation.gate_version < excluded.gate_version",
        )
        .bind(id.clone())
        .bind(i64::from(open))
        .bind(i64::try_from(version).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await?;
        // An older gate changes nothing, lest it bring back somebody who was forgotten.
        if open && set.rows_affected() == 1 {
            sqlx::query(
                "INSERT INTO member (user_id, conversation, read_seq) VALUES ($1, $3, 0), ($2, $3, 0) \
                 ON CONFLICT (user_id, conversation) DO NOTHING",
            )
            .bind(i64::from(a))
            .bind(i64::from(b))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Closes every conversation of a user for good, takes the user out of them, and names the other sides.
    pub(crate) async fn forget(&self, user: UserId) -> Result<Vec<UserId>> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE conversation SET open = 0, gate_version = $2 \
             WHERE id IN (SELECT conversation FROM member WHERE user_id = $1)",
        )
        .bind(i64::from(user))
        .bind(i64::MAX)
        .execute(&mut *transaction)
        .await?;
        let rows = sqlx::query("DELETE FROM member WHERE user_id = $1 RETURNING conversation")
            .bind(i64::from(user))
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let mut peers = Vec::new();
        for row in rows {
            peers.extend(conversation(&row, 0)?.peer_of(user));
        }
        Ok(peers)
    }

    /// Which of these sends, `(sender, client_id)`, were stored before.
    pub(crate) async fn find_stored(
        transaction: &mut Transaction,
        sends: &[(UserId, Uuid)],
    ) -> Result<HashMap<(UserId, Uuid), Stored>> {
        let rows = padded(sends.len());
        let sql = format!(
            "SELECT {ENTRY} FROM message m WHERE (m.sender, m.client_id) IN (VALUES {})",
            placeholders(rows, 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (sender, client_id) in sends {
            query = query.bind(i64::from(*sender)).bind(key(*client_id));
        }
        for _ in sends.len()..rows {
            query = query.bind(0_i64).bind(NOTHING);
        }
        let mut stored = HashMap::new();
        for row in query.fetch_all(&mut **transaction).await? {
            let Entry { conversation, seq, from, client_id, text, sent_at } = entry(&row)?;
            stored.insert((from, client_id), Stored { conversation, seq, sent_at, text });
        }
        Ok(stored)
    }

    /// Takes the next `count` places of each conversation that is open, and returns the last one taken.
    pub(crate) async fn take_places(
        transaction: &mut Transaction,
        counts: &BTreeMap<Conversation, i64>,
        now: Timestamp,
    ) -> Result<HashMap<Conversation, i64>> {
        let rows = padded(counts.len());
        let sql = format!(
            "UPDATE conversation SET last_seq = last_seq + b.column2, last_at = ${} FROM (VALUES {}) AS b \
             WHERE conversation.id = b.column1 AND open = 1 RETURNING id, last_seq",
            rows * 2 + 1,
            placeholders(rows, 2),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (conversation, count) in counts {
            query = query.bind(conversation.to_string()).bind(*count);
        }
        for _ in counts.len()..rows {
            query = query.bind(NOTHING).bind(0_i64);
        }
        let rows = query.bind(now.0).fetch_all(&mut **transaction).await?;
        rows.iter().map(|row| Ok((conversation(row, 0)?, row.try_get(1)?))).collect()
    }

    /// Which of these conversations exist, open or closed.
    pub(crate) async fn existing(
        transaction: &mut Transaction,
        conversations: &[Conversation],
    ) -> Result<Vec<Conversation>> {
        let sql = format!(
            "SELECT id FROM conversation WHERE id IN (VALUES {})",
            placeholders(conversations.len(), 1)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for conversation in conversations {
            query = query.bind(conversation.to_string());
        }
        let rows = query.fetch_all(&mut **transaction).await?;
        rows.iter().map(|row| conversation(row, 0)).collect()
    }

    /// Adds messages whose places were taken.
    pub(crate) async fn insert(transaction: &mut Transaction, entries: &[Entry]) -> Result<()> {
        let rows = padded(entries.len());
        let sql = format!(
            "INSERT INTO message (conversation, seq, sender, client_id, body, sent_at) \
             SELECT column1, column2, column3, column4, column5, column6 FROM (VALUES {}) AS b WHERE column1 <> ''",
            placeholders(rows, 6)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for entry in entries {
            query = query
                .bind(entry.conversation.to_string())
                .bind(i64::from(entry.seq))
                .bind(i64::from(entry.from))
                .bind(key(entry.client_id))
                .bind(entry.text.clone())
                .bind(entry.sent_at.0);
        }
        for _ in entries.len()..rows {
            query = query.bind(NOTHING).bind(0_i64).bind(0_i64).bind(NOTHING).bind(NOTHING).bind(0_i64);
        }
        query.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Moves read cursors forward, and returns those that moved.
    pub(crate) async fn move_cursors(
        &self,
        cursors: &BTreeMap<(UserId, Conversation), Seq>,
    ) -> Result<Vec<(UserId, Conversation)>> {
        let rows = padded(cursors.len());
        let sql = format!(
            "UPDATE member SET read_seq = b.column3 FROM (VALUES {}) AS b \
             WHERE member.user_id = b.column1 AND member.conversation = b.column2 AND member.read_seq < b.column3 \
             RETURNING user_id, conversation",
            placeholders(rows, 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for ((user, conversation), seq) in cursors {
            query = query.bind(i64::from(*user)).bind(conversation.to_string()).bind(i64::from(*seq));
        }
        for _ in cursors.len()..rows {
            query = query.bind(0_i64).bind(NOTHING).bind(0_i64);
        }
        let rows = query.fetch_all(self.database.write()).await?;
        rows.iter()
            .map(|row| Ok((UserId::try_from(row.try_get::<i64, _>(0)?)?, conversation(row, 1)?)))
            .collect()
    }

    /// A conversation as one of its members sees it; `None` for everyone else.
    pub(crate) async fn member(
        &self,
        user: UserId,
        which: Conversation,
    ) -> Result<Option<ConversationEntry>> {
        let row = sqlx::query(
            "SELECT c.id, c.last_seq, m.read_seq FROM member m JOIN conversation c ON c.id = m.conversation \
             WHERE m.user_id = $1 AND m.conversation = $2",
        )
        .bind(i64::from(user))
        .bind(which.to_string())
        .fetch_optional(self.database.read())
        .await?;
        row.as_ref().map(overview).transpose()
    }

    /// A user's conversations, the one with the newest message first.
    pub(crate) async fn conversations(&self, user: UserId, limit: i64) -> Result<Vec<ConversationEntry>> {
        let rows = sqlx::query(
            "SELECT c.id, c.last_seq, m.read_seq FROM member m JOIN conversation c ON c.id = m.conversation \
             WHERE m.user_id = $1 ORDER BY c.last_at DESC, c.id LIMIT $2",
        )
        .bind(i64::from(user))
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        rows.iter().map(overview).collect()
    }

    /// The newest `limit` messages before `before`, newest first.
    pub(crate) async fn page_before(
        &self,
        which: Conversation,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Entry>> {
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM message m WHERE m.conversation = $1 AND m.seq < $2 ORDER BY m.seq DESC LIMIT $3"
        )));
        self.entries(query.bind(which.to_string()).bind(before).bind(limit)).await
    }

    /// The messages of each conversation after `from` and up to `to`, at most `limit` in all; in order within each
    /// conversation.
    pub(crate) async fn ranges(&self, ranges: &[(Conversation, i64, i64)], limit: i64) -> Result<Vec<Entry>> {
        let sql = format!(
            "SELECT {ENTRY} FROM (VALUES {}) AS b JOIN message m ON m.conversation = b.column1 \
             AND m.seq > b.column2 AND m.seq <= b.column3 ORDER BY m.conversation, m.seq LIMIT ${}",
            placeholders(ranges.len(), 3),
            ranges.len() * 3 + 1
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (conversation, from, to) in ranges {
            query = query.bind(conversation.to_string()).bind(*from).bind(*to);
        }
        self.entries(query.bind(limit)).await
    }

    async fn entries(&self, query: Query<'_>) -> Result<Vec<Entry>> {
        query.fetch_all(self.database.read()).await?.iter().map(entry).collect()
    }
}

/// The id of no conversation, and the `client_id` of no message: what a padding row holds.
const NOTHING: &str = "";

/// So many rows are written for `rows`: the next power of two. A statement is prepared once per length of its list, and
/// a connection keeps a hundred; with every length from 1 to 256 most would be prepared anew.
const fn padded(rows: usize) -> usize {
    rows.next_power_of_two()
}

/// `($1, $2), ($3, $4)` and so on: `rows` rows of `columns`.
fn placeholders(rows: usize, columns: usize) -> String {
    let mut sql = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            // Writing to a string can't fail.
            let _ = write!(sql, "{}${}", if column == 1 { "" } else { ", " }, row * columns + column);
        }
        sql.push(')');
    }
    sql
}

fn key(client_id: Uuid) -> String {
    client_id.simple().to_string()
}

fn conversation(row: &AnyRow, column: usize) -> Result<Conversation> {
    let id: String = row.try_get(column)?;
    Ok(id.parse().map_err(|error| anyhow::anyhow!("conversation {id} in the database: {error}"))?)
}

fn overview(row: &AnyRow) -> Result<ConversationEntry> {
    let place = |column| -> Result<u64> {
        let place: i64 = row.try_get(column)?;
        Ok(u64::try_from(place).context("a place in the database")?)
    };
    Ok(ConversationEntry { conversation: conversation(row, 0)?, last_seq: place(1)?, read_seq: place(2)? })
}

fn entry(row: &AnyRow) -> Result<Entry> {
    let client_id: String = row.try_get(3)?;
    Ok(Entry {
        conversation: conversation(row, 0)?,
        seq: Seq::try_from(row.try_get::<i64, _>(1)?)?,
        from: UserId::try_from(row.try_get::<i64, _>(2)?)?,
        client_id: client_id.parse().context("a client_id in the database")?,
        text: row.try_get(4)?,
        sent_at: Timestamp(row.try_get(5)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use natter_host::testing::{TestDatabase, databases};

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn pair(a: u64, b: u64) -> Conversation {
        Conversation::direct(user(a), user(b)).unwrap()
    }

    fn message(conversation: Conversation, seq: u64, text: &str) -> Entry {
        let seq = Seq::new(seq).unwrap();
        let from = conversation.pair().unwrap().0;
        Entry {
            conversation,
            seq,
            from,
            client_id: Uuid::now_v7(),
            text: text.to_owned(),
            sent_at: Timestamp(1),
        }
    }

    async fn stores() -> Vec<(Store, TestDatabase)> {
        let databases = databases("message", MIGRATIONS).await;
        databases.into_iter().map(|test| (Store::new(test.database.clone()), test)).collect()
    }

    async fn fill(store: &Store, conversation: Conversation, count: u64) {
        store.set_gate(conversation, true, 1).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        let counts = BTreeMap::from([(conversation, count.cast_signed())]);
        let last = Store::take_places(&mut transaction, &counts, Timestamp(5)).await.unwrap();
        let first = last[&conversation].cast_unsigned() + 1 - count;
        let entries: Vec<_> =
            (0..count).map(|n| message(conversation, first + n, &format!("text {n}"))).collect();
        Store::insert(&mut transaction, &entries).await.unwrap();
        transaction.commit().await.unwrap();
    }

    #[tokio::test]
    async fn places_are_taken_only_where_the_gate_is_open() {
        for (store, test) in stores().await {
            let (open, shut, unknown) = (pair(1, 2), pair(1, 3), pair(1, 4));
            store.set_gate(open, true, 1).await.unwrap();
            store.set_gate(shut, false, 1).await.unwrap();
            let mut transaction = store.begin().await.unwrap();
            let counts = BTreeMap::from([(open, 3), (shut, 1), (unknown, 1)]);
            let last = Store::take_places(&mut transaction, &counts, Timestamp(5)).await.unwrap();
            assert_eq!(last, HashMap::from([(open, 3)]), "{}", test.name);
            let existing = Store::existing(&mut transaction, &[shut, unknown]).await.unwrap();
            assert_eq!(existing, vec![shut], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn an_older_gate_does_not_undo_a_newer_one() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, false, 7).await.unwrap();
            store.set_gate(there, true, 6).await.unwrap();
            let mut transaction = store.begin().await.unwrap();
            let counts = BTreeMap::from([(there, 1)]);
            let last = Store::take_places(&mut transaction, &counts, Timestamp(5)).await.unwrap();
            assert!(last.is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_repeated_send_is_found_and_a_second_insert_collides() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            let first = message(there, 1, "grüße 👋");
            let mut transaction = store.begin().await.unwrap();
            Store::insert(&mut transaction, std::slice::from_ref(&first)).await.unwrap();
            transaction.commit().await.unwrap();

            let mut transaction = store.begin().await.unwrap();
            let keys = [(first.from, first.client_id), (first.from, Uuid::now_v7())];
            let stored = Store::find_stored(&mut transaction, &keys).await.unwrap();
            assert_eq!(stored.len(), 1, "{}", test.name);
            assert_eq!(stored[&keys[0]].text, first.text, "{}", test.name);
            let again = Entry { seq: Seq::new(2).unwrap(), ..first };
            let failure = Store::insert(&mut transaction, &[again]).await.unwrap_err();
            assert!(crate::commit::is_collision(&failure), "{} {failure:?}", test.name);
        }
    }

    #[tokio::test]
    async fn pages_go_back_and_ranges_go_forward() {
        for (store, test) in stores().await {
            let (one, two) = (pair(1, 2), pair(1, 3));
            fill(&store, one, 10).await;
            fill(&store, two, 3).await;
            let page = store.page_before(one, 9, 3).await.unwrap();
            assert_eq!(
                page.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>(),
                [8, 7, 6],
                "{}",
                test.name
            );
            let missed = store.ranges(&[(one, 8, 10), (two, 0, 2)], 100).await.unwrap();
            let places: Vec<_> = missed.iter().map(|entry| (entry.conversation, entry.seq.get())).collect();
            assert_eq!(places, [(one, 9), (one, 10), (two, 1), (two, 2)], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn cursors_only_move_forward() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 5).await;
            let to = |seq| BTreeMap::from([((user(1), there), Seq::new(seq).unwrap())]);
            assert_eq!(store.move_cursors(&to(4)).await.unwrap(), vec![(user(1), there)], "{}", test.name);
            assert!(store.move_cursors(&to(3)).await.unwrap().is_empty(), "{}", test.name);
            let entry = store.member(user(1), there).await.unwrap().unwrap();
            assert_eq!((entry.last_seq, entry.read_seq), (5, 4), "{}", test.name);
            assert_eq!(store.member(user(9), there).await.unwrap(), None, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_forgotten_user_leaves_and_the_other_side_keeps_the_history() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 2).await;
            assert_eq!(store.forget(user(1)).await.unwrap(), vec![user(2)], "{}", test.name);
            assert!(store.forget(user(1)).await.unwrap().is_empty(), "{}", test.name);
            store.set_gate(there, true, 99).await.unwrap();
            assert_eq!(store.conversations(user(2), 10).await.unwrap().len(), 1, "{}", test.name);
            assert_eq!(store.member(user(1), there).await.unwrap(), None, "{}", test.name);
            assert_eq!(store.page_before(there, i64::MAX, 10).await.unwrap().len(), 2, "{}", test.name);
            let mut transaction = store.begin().await.unwrap();
            let counts = BTreeMap::from([(there, 1)]);
            let last = Store::take_places(&mut transaction, &counts, Timestamp(5)).await.unwrap();
            assert!(last.is_empty(), "{}: the gate stays shut", test.name);
        }
    }
}
