//! The rows of conversations: what is locked first, and where the next message stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use broker_schemas::{Conversation, Seq, Timestamp};
use natter_host::{Dialect, Transaction};
use sqlx::{Any, Executor, Row};

use super::rows::{NOTHING, conversation, listing, number, padded, place, placeholders};
use super::{Result, Store};
use crate::access::Place;
use crate::push::AsOf;

/// Conversations that are locked.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) places: HashMap<Conversation, Place>,
    /// Until when somebody, whoever it is, can't write anywhere; once that has passed, nobody is silenced.
    pub(crate) last_silence: Timestamp,
}

impl Store {
    /// Locks those of these conversations that exist until the transaction ends, and reads them.
    ///
    /// What is read about them after this, by other statements, is as the last transaction left it that held the lock.
    pub(crate) async fn lock(
        &self,
        transaction: &mut Transaction,
        conversations: &BTreeSet<Conversation>,
    ) -> Result<HashMap<Conversation, Place>> {
        Ok(self.lock_to_write(transaction, conversations).await?.places)
    }

    /// The same, for who writes in them. Whether anybody is silenced is asked by the statement that runs anyway.
    pub(crate) async fn lock_to_write(
        &self,
        transaction: &mut Transaction,
        conversations: &BTreeSet<Conversation>,
    ) -> Result<Places> {
        let rows = padded(conversations.len());
        let sql = format!(
            "SELECT id, last_seq, open, gate_version, muted_until, revision, \
                 (SELECT COALESCE(MAX(until), 0) FROM silence) FROM conversation \
             WHERE id IN (VALUES {}) ORDER BY id{}",
            placeholders(Dialect::of(transaction), rows, 1),
            self.database.for_update(),
        );
        let mut query = listing(sql, rows);
        for conversation in conversations {
            query = query.bind(conversation.to_string());
        }
        for _ in conversations.len()..rows {
            query = query.bind(NOTHING);
        }
        let rows = query.fetch_all(&mut **transaction).await?;
        let last_silence = rows.first().map_or(Ok(0), |row| row.try_get(6))?;
        let places = rows.iter().map(|row| Ok((conversation(row, 0)?, place(row, 1)?)));
        Ok(Places { places: places.collect::<Result<_>>()?, last_silence: Timestamp(last_silence) })
    }

    /// Says up to where the messages of locked conversations go now.
    pub(crate) async fn advance(
        transaction: &mut Transaction,
        last: &BTreeMap<Conversation, u64>,
        now: Timestamp,
    ) -> Result<()> {
        let rows = padded(last.len());
        let sql = format!(
            "UPDATE conversation SET last_seq = b.column2, last_at = ${} FROM (VALUES {}) AS b \
             WHERE conversation.id = b.column1",
            rows * 2 + 1,
            placeholders(Dialect::of(transaction), rows, 2),
        );
        let mut query = listing(sql, rows);
        for (conversation, seq) in last {
            query = query.bind(conversation.to_string()).bind(seq.cast_signed());
        }
        for _ in last.len()..rows {
            query = query.bind(NOTHING).bind(0_i64);
        }
        query.bind(now.0).execute(&mut **transaction).await?;
        Ok(())
    }

    /// Which members of a group may be told of the message at `seq`, which was stored before.
    ///
    /// Who joined after it and doesn't see it must not be told by an edit of it, for example. Whoever joined later still is
    /// left out too, and learns of it from `message.sync`.
    pub(crate) async fn as_of(transaction: &mut Transaction, which: Conversation, seq: Seq) -> Result<AsOf> {
        Self::as_of_in(&mut **transaction, which, seq).await
    }

    /// The same, as of now.
    pub(crate) async fn as_of_now(&self, which: Conversation, seq: Seq) -> Result<AsOf> {
        Self::as_of_in(self.database.read(), which, seq).await
    }

    async fn as_of_in(
        reader: impl Executor<'_, Database = Any>,
        which: Conversation,
        seq: Seq,
    ) -> Result<AsOf> {
        if which.group_id().is_none() {
            return Ok(AsOf::version(0));
        }
        let row = sqlx::query(
            "SELECT c.gate_version, \
                 (SELECT MIN(b.since) FROM member b WHERE b.conversation = c.id AND b.first_seq > $2) \
             FROM conversation c WHERE c.id = $1",
        )
        .bind(which.to_string())
        .bind(i64::from(seq))
        .fetch_one(reader)
        .await?;
        let version = number(&row, 0)?;
        let first_without = row.try_get::<Option<i64>, _>(1)?.map(i64::cast_unsigned);
        let joined_by = first_without.map_or(version, |since| since.saturating_sub(1));
        Ok(AsOf { version, joined_by })
    }
}
