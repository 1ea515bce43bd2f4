//! Changing a message that is stored: each change takes the conversation's next revision and leaves it at the message.

use std::collections::BTreeSet;

use broker_schemas::message::Entry;
use broker_schemas::rights::Role;
use broker_schemas::{Conversation, Seq, Timestamp, UserId};
use natter_host::Transaction;
use sqlx::AssertSqlSafe;

use super::rows::{ENTRY, entry};
use super::{Result, Store};
use crate::access::{Seat, no_such_conversation, no_such_message};

/// A message that somebody wants to change, in a conversation that is locked.
#[derive(Debug)]
pub(crate) struct Target {
    /// Of who wants to change it.
    pub(crate) seat: Seat,
    /// Without reactions.
    pub(crate) entry: Entry,
}

impl Target {
    /// The revision that a change gets.
    pub(crate) const fn next_revision(&self) -> u64 {
        self.seat.place.revision + 1
    }
}

impl Store {
    /// Locks the conversation, and reads the message at `seq`, for somebody who is in it and may read that.
    pub(crate) async fn target(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        conversation: Conversation,
        seq: Seq,
    ) -> Result<Target> {
        let place = self.lock(transaction, &BTreeSet::from([conversation])).await?.remove(&conversation);
        let key = (user, conversation);
        let member = Self::members(transaction, &BTreeSet::from([key])).await?.remove(&key);
        let (Some(place), Some(member)) = (place, member) else {
            return Err(no_such_conversation().into());
        };
        let seat = Seat { conversation, place, member };
        match Self::entry(transaction, conversation, seq).await? {
            Some(entry) if seat.sees(seq) => Ok(Target { seat, entry }),
            _ => Err(no_such_message().into()),
        }
    }

    /// The message at a place, whoever may read it; without reactions.
    pub(crate) async fn entry(
        transaction: &mut Transaction,
        conversation: Conversation,
        seq: Seq,
    ) -> Result<Option<Entry>> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM message m WHERE m.conversation = $1 AND m.seq = $2"
        )))
        .bind(conversation.to_string())
        .bind(i64::from(seq))
        .fetch_optional(&mut **transaction)
        .await?;
        row.as_ref().map(entry).transpose()
    }

    /// What `user` is in a group; `None` if not a member.
    pub(crate) async fn role_of(
        transaction: &mut Transaction,
        user: UserId,
        conversation: Conversation,
    ) -> Result<Option<Role>> {
        let key = (user, conversation);
        let mut members = Self::members(transaction, &BTreeSet::from([key])).await?;
        Ok(members.remove(&key).map(|member| member.role))
    }

    /// Says that the message was changed, by which its conversation has a new revision.
    pub(crate) async fn revise(transaction: &mut Transaction, entry: &Entry, revision: u64) -> Result<()> {
        let conversation = entry.conversation.to_string();
        sqlx::query("UPDATE conversation SET revision = $2 WHERE id = $1")
            .bind(conversation.clone())
            .bind(revision.cast_signed())
            .execute(&mut **transaction)
            .await?;
        sqlx::query("UPDATE message SET revision = $3 WHERE conversation = $1 AND seq = $2")
            .bind(conversation)
            .bind(i64::from(entry.seq))
            .bind(revision.cast_signed())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Gives the message another text.
    pub(crate) async fn rewrite(
        &self,
        transaction: &mut Transaction,
        entry: &Entry,
        text: &str,
        now: Timestamp,
    ) -> Result<()> {
        // A copy of an older release, which knows of no search, may have stored it a moment ago.
        sqlx::query(
            "UPDATE message SET body = $3, edited_at = $4, indexed = 1 WHERE conversation = $1 AND seq = $2",
        )
        .bind(entry.conversation.to_string())
        .bind(i64::from(entry.seq))
        .bind(text.to_owned())
        .bind(now.0)
        .execute(&mut **transaction)
        .await?;
        self.unindex(transaction, entry.conversation, entry.seq).await?;
        let entry = Entry { text: text.to_owned(), ..entry.clone() };
        self.index(transaction, &[entry]).await
    }

    /// Erases what the message said, and what others said to it.
    pub(crate) async fn erase(&self, transaction: &mut Transaction, entry: &Entry, by: UserId) -> Result<()> {
        sqlx::query(
            "UPDATE message SET body = '', extras = NULL, data = NULL, recalled_by = $3 \
             WHERE conversation = $1 AND seq = $2",
        )
        .bind(entry.conversation.to_string())
        .bind(i64::from(entry.seq))
        .bind(i64::from(by))
        .execute(&mut **transaction)
        .await?;
        sqlx::query("DELETE FROM reaction WHERE conversation = $1 AND seq = $2")
            .bind(entry.conversation.to_string())
            .bind(i64::from(entry.seq))
            .execute(&mut **transaction)
            .await?;
        self.unindex(transaction, entry.conversation, entry.seq).await
    }
}
