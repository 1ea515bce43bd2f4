//! The record: messages come in by batches and go out by pages.

use std::collections::HashMap;

use broker_schemas::message::Entry;
use broker_schemas::{Conversation, UserId};
use futures_util::TryStreamExt;
use natter_host::{Dialect, Transaction};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::rows::{
    ENTRY, NOTHING, Query, entry, extras, key, listing, notice_key, padded, placeholders, size,
};
use super::{Result, Store};
use crate::page::Page;

/// Messages of one conversation: those after `after`, up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) conversation: Conversation,
    pub(crate) after: u64,
    pub(crate) to: u64,
}

/// Changed messages of one conversation: those from `first` up to `to` that were changed after a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) conversation: Conversation,
    pub(crate) after_revision: u64,
    pub(crate) first: u64,
    pub(crate) to: u64,
}

impl Store {
    /// Which of these sends, `(sender, client_id)`, were stored before: the messages as they are now, without reactions.
    pub(crate) async fn find_stored(
        transaction: &mut Transaction,
        sends: &[(UserId, Uuid)],
    ) -> Result<HashMap<(UserId, Uuid), Entry>> {
        let rows = padded(sends.len());
        let sql = format!(
            "SELECT {ENTRY} FROM message m WHERE (m.sender, m.client_id) IN (VALUES {})",
            placeholders(Dialect::of(transaction), rows, 2)
        );
        let mut query = listing(sql, rows);
        for (sender, client_id) in sends {
            query = query.bind(i64::from(*sender)).bind(key(*client_id));
        }
        for _ in sends.len()..rows {
            query = query.bind(0_i64).bind(NOTHING);
        }
        let mut stored = HashMap::new();
        for row in query.fetch_all(&mut **transaction).await? {
            let entry = entry(&row)?;
            if let Some(client_id) = entry.client_id {
                stored.insert((entry.from, client_id), entry);
            }
        }
        Ok(stored)
    }

    /// Adds messages, each at its place, by one statement.
    pub(crate) async fn insert(transaction: &mut Transaction, entries: &[Entry]) -> Result<()> {
        let keys: Vec<_> =
            entries.iter().map(|entry| entry.client_id.map_or_else(String::new, key)).collect();
        insert(transaction, entries, keys).await
    }

    /// Adds the notice of a group's change to `version`.
    pub(crate) async fn insert_notice(
        transaction: &mut Transaction,
        notice: &Entry,
        version: u64,
    ) -> Result<()> {
        let key = notice_key(notice.conversation, version);
        insert(transaction, std::slice::from_ref(notice), vec![key]).await
    }

    /// The notice of a group's change to `version`, which `by` made.
    pub(crate) async fn find_notice(
        transaction: &mut Transaction,
        which: Conversation,
        by: UserId,
        version: u64,
    ) -> Result<Option<Entry>> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM message m WHERE m.sender = $1 AND m.client_id = $2"
        )))
        .bind(i64::from(by))
        .bind(notice_key(which, version))
        .fetch_optional(&mut **transaction)
        .await?;
        row.as_ref().map(entry).transpose()
    }

    /// Fills the page with the newest messages between `first` and `before`, newest first.
    pub(crate) async fn page_before(
        snapshot: &mut Transaction,
        page: &mut Page,
        which: Conversation,
        first: u64,
        before: u64,
    ) -> Result<()> {
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM message m WHERE m.conversation = $1 AND m.seq >= $2 AND m.seq < $3 \
             ORDER BY m.seq DESC LIMIT $4"
        )));
        let query = query.bind(which.to_string()).bind(first.cast_signed()).bind(before.cast_signed());
        Self::fill(snapshot, page, query.bind(one_more(page))).await
    }

    /// Fills the page with the messages of each range; in order within each conversation.
    pub(crate) async fn ranges(snapshot: &mut Transaction, page: &mut Page, ranges: &[Range]) -> Result<()> {
        if ranges.is_empty() {
            return Ok(());
        }
        let rows = padded(ranges.len());
        let sql = format!(
            "SELECT {ENTRY} FROM (VALUES {}) AS b JOIN message m \
             ON m.conversation = b.column1 AND m.seq > b.column2 AND m.seq <= b.column3 \
             ORDER BY m.conversation, m.seq LIMIT ${}",
            placeholders(Dialect::of(snapshot), rows, 3),
            rows * 3 + 1,
        );
        let mut query = listing(sql, rows);
        for range in ranges {
            query = query
                .bind(range.conversation.to_string())
                .bind(range.after.cast_signed())
                .bind(range.to.cast_signed());
        }
        for _ in ranges.len()..rows {
            query = query.bind(NOTHING).bind(0_i64).bind(0_i64);
        }
        Self::fill(snapshot, page, query.bind(one_more(page))).await
    }

    /// Fills the page with the changed messages of each conversation; by revision within each.
    pub(crate) async fn changed(
        snapshot: &mut Transaction,
        page: &mut Page,
        changes: &[Changes],
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let rows = padded(changes.len());
        let sql = format!(
            "SELECT {ENTRY} FROM (VALUES {}) AS b JOIN message m \
             ON m.conversation = b.column1 AND m.revision > b.column2 AND m.seq >= b.column3 AND m.seq <= b.column4 \
             WHERE m.revision > 0 ORDER BY m.conversation, m.revision LIMIT ${}",
            placeholders(Dialect::of(snapshot), rows, 4),
            rows * 4 + 1,
        );
        let mut query = listing(sql, rows);
        for change in changes {
            query = query
                .bind(change.conversation.to_string())
                .bind(change.after_revision.cast_signed())
                .bind(change.first.cast_signed())
                .bind(change.to.cast_signed());
        }
        for _ in changes.len()..rows {
            query = query.bind(NOTHING).bind(0_i64).bind(0_i64).bind(0_i64);
        }
        Self::fill(snapshot, page, query.bind(one_more(page))).await
    }

    /// Reads messages into the page, and no more of them than fit: a full page of the longest ones would be 11 MB.
    pub(super) async fn fill(snapshot: &mut Transaction, page: &mut Page, query: Query<'_>) -> Result<()> {
        let mut rows = query.fetch(&mut **snapshot);
        while let Some(row) = rows.try_next().await? {
            if !page.push(entry(&row)?, size(&row)?) {
                break;
            }
        }
        Ok(())
    }
}

/// The `LIMIT` that fills the page and shows whether there is more.
pub(super) fn one_more(page: &Page) -> i64 {
    i64::try_from(page.room()).unwrap_or(i64::MAX).saturating_add(1)
}

async fn insert(transaction: &mut Transaction, entries: &[Entry], keys: Vec<String>) -> Result<()> {
    let rows = padded(entries.len());
    let sql = format!(
        "INSERT INTO message (conversation, seq, sender, client_id, body, sent_at, extras, data, indexed) \
         SELECT column1, column2, column3, column4, column5, column6, NULLIF(column7, ''), NULLIF(column8, ''), 1 \
         FROM (VALUES {}) AS b WHERE column1 <> ''",
        placeholders(Dialect::of(transaction), rows, 8)
    );
    let mut query = listing(sql, rows);
    for (entry, key) in entries.iter().zip(keys) {
        let data = entry.payload.as_ref().map_or_else(String::new, |payload| payload.data.to_string());
        query = query
            .bind(entry.conversation.to_string())
            .bind(i64::from(entry.seq))
            .bind(i64::from(entry.from))
            .bind(key)
            .bind(entry.text.clone())
            .bind(entry.sent_at.0)
            .bind(extras(entry)?)
            .bind(data);
    }
    for _ in entries.len()..rows {
        query = query.bind(NOTHING).bind(0_i64).bind(0_i64).bind(NOTHING).bind(NOTHING).bind(0_i64);
        query = query.bind(NOTHING).bind(NOTHING);
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::is_collision;
    use crate::testing::{message, pair, stores};
    use broker_schemas::message::Payload;
    use broker_schemas::{Seq, Text, Timestamp, group};

    #[tokio::test]
    async fn a_repeated_send_is_found_and_a_second_insert_collides() {
        for (store, test) in stores().await {
            let first = message(pair(1, 2), 1, "grüße 👋");
            let mut transaction = store.begin().await.unwrap();
            Store::insert(&mut transaction, std::slice::from_ref(&first)).await.unwrap();
            transaction.commit().await.unwrap();

            let mut transaction = store.begin().await.unwrap();
            let keys = [(first.from, first.client_id.unwrap()), (first.from, Uuid::now_v7())];
            let stored = Store::find_stored(&mut transaction, &keys).await.unwrap();
            assert_eq!(stored.len(), 1, "{}", test.name);
            assert_eq!(stored[&keys[0]], first, "{}", test.name);
            let again = Entry { seq: Seq::new(2).unwrap(), ..first };
            let failure = Store::insert(&mut transaction, &[again]).await.unwrap_err();
            assert!(is_collision(&failure), "{} {failure:?}", test.name);
        }
    }

    #[tokio::test]
    async fn a_message_is_read_as_it_was_written_whatever_it_has() {
        for (store, test) in stores().await {
            let payload = |data: &str| {
                Some(Payload { kind: Text::new("app/x").unwrap(), data: Text::new(data).unwrap() })
            };
            let entries = [
                message(pair(1, 2), 1, "plain"),
                Entry { quote: Some(Seq::new(1).unwrap()), ..message(pair(1, 2), 2, "") },
                Entry { mentions: vec![UserId::new(2).unwrap()], ..message(pair(1, 2), 3, "@2") },
                Entry { payload: payload("{\"\\u0000\": '\"'}"), ..message(pair(1, 2), 4, "") },
                Entry { payload: payload(""), ..message(pair(1, 2), 5, "with text") },
            ];
            let notice = Entry {
                notice: Some(group::Change::Dissolved {}),
                client_id: None,
                sent_at: Timestamp(9),
                ..message(pair(1, 2), 6, "")
            };
            let mut transaction = store.begin().await.unwrap();
            Store::insert(&mut transaction, &entries).await.unwrap();
            Store::insert_notice(&mut transaction, &notice, 3).await.unwrap();
            let found = Store::find_notice(&mut transaction, notice.conversation, notice.from, 3).await;
            assert_eq!(found.unwrap().as_ref(), Some(&notice), "{}", test.name);
            transaction.commit().await.unwrap();
            let mut page = Page::new(10);
            let all = Range { conversation: pair(1, 2), after: 0, to: 6 };
            let mut snapshot = store.snapshot().await.unwrap();
            Store::ranges(&mut snapshot, &mut page, &[all]).await.unwrap();
            assert_eq!(page.entries, [&entries[..], &[notice]].concat(), "{}", test.name);
        }
    }
}
