//! Reactions to messages.

use std::collections::HashMap;

use broker_schemas::message::Reaction;
use broker_schemas::{Conversation, Seq, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::Row;

use super::rows::{NOTHING, conversation, listing, number, padded, placeholders};
use super::{Result, Store};
use crate::page::Page;

impl Store {
    /// Adds to each message of the page its reactions as `user` sees them, by one query; and drops from the page's end what
    /// doesn't fit with them.
    pub(crate) async fn add_reactions(
        snapshot: &mut Transaction,
        page: &mut Page,
        user: UserId,
    ) -> Result<()> {
        // A message that was never changed has none.
        let changed: Vec<_> = page.entries.iter().filter(|entry| entry.revision > 0).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let rows = padded(changed.len());
        let sql = format!(
            "SELECT conversation, seq, reaction, COUNT(*), \
                 CAST(MAX(CASE WHEN user_id = ${} THEN 1 ELSE 0 END) AS BIGINT) \
             FROM reaction WHERE (conversation, seq) IN (VALUES {}) \
             GROUP BY conversation, seq, reaction ORDER BY MIN(revision)",
            rows * 2 + 1,
            placeholders(Dialect::of(snapshot), rows, 2),
        );
        let mut query = listing(sql, rows);
        for entry in &changed {
            query = query.bind(entry.conversation.to_string()).bind(i64::from(entry.seq));
        }
        for _ in changed.len()..rows {
            query = query.bind(NOTHING).bind(0_i64);
        }
        let mut reactions = HashMap::<_, Vec<_>>::new();
        for row in query.bind(i64::from(user)).fetch_all(&mut **snapshot).await? {
            let reaction = Reaction {
                reaction: row.try_get(2)?,
                count: u32::try_from(number(&row, 3)?).unwrap_or(u32::MAX),
                mine: row.try_get::<i64, _>(4)? == 1,
            };
            reactions.entry((conversation(&row, 0)?, number(&row, 1)?)).or_default().push(reaction);
        }
        for entry in &mut page.entries {
            entry.reactions = reactions.remove(&(entry.conversation, entry.seq.get())).unwrap_or_default();
        }
        page.cut();
        Ok(())
    }

    /// The reactions to a message, each with whose it is: at most as many as the limits of `message.react` allow, for each
    /// user.
    pub(crate) async fn reactions(
        transaction: &mut Transaction,
        which: Conversation,
        seq: Seq,
        user: UserId,
    ) -> Result<Vec<(String, bool)>> {
        let rows = sqlx::query(
            "SELECT reaction, CAST(MAX(CASE WHEN user_id = $3 THEN 1 ELSE 0 END) AS BIGINT) \
             FROM reaction WHERE conversation = $1 AND seq = $2 GROUP BY reaction",
        )
        .bind(which.to_string())
        .bind(i64::from(seq))
        .bind(i64::from(user))
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? == 1))).collect()
    }

    pub(crate) async fn add_reaction(
        transaction: &mut Transaction,
        which: Conversation,
        seq: Seq,
        user: UserId,
        reaction: &str,
        revision: u64,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO reaction (conversation, seq, reaction, user_id, revision) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(which.to_string())
        .bind(i64::from(seq))
        .bind(reaction.to_owned())
        .bind(i64::from(user))
        .bind(revision.cast_signed())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    pub(crate) async fn remove_reaction(
        transaction: &mut Transaction,
        which: Conversation,
        seq: Seq,
        user: UserId,
        reaction: &str,
    ) -> Result<()> {
        sqlx::query(
            "DELETE FROM reaction WHERE conversation = $1 AND seq = $2 AND reaction = $3 AND user_id = $4",
        )
        .bind(which.to_string())
        .bind(i64::from(seq))
        .bind(reaction.to_owned())
        .bind(i64::from(user))
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}
