//! Messages of campaigns: to whom they were sent, and who received and read them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use broker_schemas::message::{Entry, Reach};
use broker_schemas::{Conversation, Seq, Timestamp, UserId};
use natter_host::{Dialect, Transaction};

use super::rows::{ENTRY, NOTHING, ONE_WAY, bound_users, entry, listing, number, padded, placeholders, user};
use super::{Result, Store};

impl Store {
    /// Which of these users have a campaign.
    pub(crate) async fn have_campaign(
        transaction: &mut Transaction,
        campaign: u64,
        users: &[UserId],
    ) -> Result<HashSet<UserId>> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT user_id FROM campaign_message WHERE user_id IN (VALUES {}) AND campaign = ${}",
            placeholders(Dialect::of(transaction), rows, 1),
            rows + 1,
        );
        let query = bound_users(listing(sql, rows), users, rows);
        let found = query.bind(campaign.cast_signed()).fetch_all(&mut **transaction).await?;
        found.iter().map(|row| user(row, 0)).collect()
    }

    /// What these users got of a campaign, and have neither received nor seen changed.
    pub(crate) async fn not_received(
        transaction: &mut Transaction,
        campaign: u64,
        users: &HashSet<UserId>,
    ) -> Result<Vec<(UserId, Entry)>> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT {ENTRY}, c.user_id FROM campaign_message c \
             JOIN message m ON m.conversation = c.conversation AND m.seq = c.seq \
             WHERE c.user_id IN (VALUES {}) AND c.campaign = ${} AND c.received = 0 AND m.revision = 0",
            placeholders(Dialect::of(transaction), rows, 1),
            rows + 1,
        );
        let query = bound_users(listing(sql, rows), users, rows);
        let found = query.bind(campaign.cast_signed()).fetch_all(&mut **transaction).await?;
        found.iter().map(|row| Ok((user(row, 11)?, entry(row)?))).collect()
    }

    /// Makes these direct conversations ones in which the platform's own account alone writes, whatever their gates; but for
    /// those that were closed for good.
    pub(crate) async fn open_one_way(
        transaction: &mut Transaction,
        conversations: &BTreeSet<Conversation>,
    ) -> Result<()> {
        let rows = padded(conversations.len());
        let sql = format!(
            "INSERT INTO conversation (id, last_seq, last_at, open, gate_version) \
             SELECT column1, 0, 0, {ONE_WAY}, {max} FROM (VALUES {}) AS b WHERE column1 <> '' \
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, gate_version = excluded.gate_version \
             WHERE conversation.gate_version < {max}",
            placeholders(Dialect::of(transaction), rows, 1),
            max = i64::MAX,
        );
        let mut query = listing(sql, rows);
        for conversation in conversations {
            query = query.bind(conversation.to_string());
        }
        for _ in conversations.len()..rows {
            query = query.bind(NOTHING);
        }
        query.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Stores messages of a campaign, each for one user, at the next place of their conversation, which is locked.
    pub(crate) async fn insert_campaign(
        &self,
        transaction: &mut Transaction,
        campaign: u64,
        messages: &[(UserId, Entry)],
        now: Timestamp,
    ) -> Result<()> {
        let rows = padded(messages.len());
        // The user alone is a member: the platform's account reads nothing.
        let members = format!(
            "INSERT INTO member (user_id, conversation, read_seq) \
             SELECT column1, column2, 0 FROM (VALUES {}) AS b WHERE column1 <> 0 \
             ON CONFLICT (user_id, conversation) DO NOTHING",
            placeholders(Dialect::of(transaction), rows, 2)
        );
        let mut query = listing(members, rows);
        for (user, entry) in messages {
            query = query.bind(i64::from(*user)).bind(entry.conversation.to_string());
        }
        for _ in messages.len()..rows {
            query = query.bind(0_i64).bind(NOTHING);
        }
        query.execute(&mut **transaction).await?;

        let entries: Vec<_> = messages.iter().map(|(_, entry)| entry.clone()).collect();
        let last = entries.iter().map(|entry| (entry.conversation, entry.seq.get())).collect();
        Self::advance(transaction, &last, now).await?;
        Self::insert(transaction, &entries).await?;
        self.index(transaction, &entries).await?;

        let sent = format!(
            "INSERT INTO campaign_message (campaign, user_id, conversation, seq, received) \
             SELECT column1, column2, column3, column4, 0 FROM (VALUES {}) AS b WHERE column2 <> 0",
            placeholders(Dialect::of(transaction), rows, 4)
        );
        let mut query = listing(sent, rows);
        for (user, entry) in messages {
            query = query
                .bind(campaign.cast_signed())
                .bind(i64::from(*user))
                .bind(entry.conversation.to_string())
                .bind(i64::from(entry.seq));
        }
        for _ in messages.len()..rows {
            query = query.bind(0_i64).bind(0_i64).bind(NOTHING).bind(0_i64);
        }
        query.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Whether there is a message of a campaign up to a place that no client said to have received.
    pub(crate) async fn is_to_receive(&self, which: Conversation, seq: Seq) -> Result<bool> {
        let row = sqlx::query(
            "SELECT 1 FROM campaign_message WHERE conversation = $1 AND seq <= $2 AND received = 0 LIMIT 1",
        )
        .bind(which.to_string())
        .bind(i64::from(seq))
        .fetch_optional(self.database.read())
        .await?;
        Ok(row.is_some())
    }

    /// Notes that the messages of campaigns up to a place of each conversation were received.
    pub(crate) async fn receive(&self, furthest: &BTreeMap<Conversation, Seq>) -> Result<()> {
        let rows = padded(furthest.len());
        let sql = format!(
            "UPDATE campaign_message SET received = 1 FROM (VALUES {}) AS b \
             WHERE campaign_message.conversation = b.column1 AND campaign_message.seq <= b.column2 \
             AND campaign_message.received = 0",
            placeholders(self.dialect(), rows, 2)
        );
        let mut query = listing(sql, rows);
        for (conversation, seq) in furthest {
            query = query.bind(conversation.to_string()).bind(i64::from(*seq));
        }
        for _ in furthest.len()..rows {
            query = query.bind(NOTHING).bind(0_i64);
        }
        query.execute(self.database.write()).await?;
        Ok(())
    }

    /// How far a campaign has come. Who has read it has received it.
    pub(crate) async fn reach(&self, campaign: u64) -> Result<Reach> {
        let row = sqlx::query(
            "SELECT COUNT(*), COUNT(CASE WHEN c.received = 1 OR b.read_seq >= c.seq THEN 1 END), \
                 COUNT(CASE WHEN b.read_seq >= c.seq THEN 1 END) \
             FROM campaign_message c \
             LEFT JOIN member b ON b.user_id = c.user_id AND b.conversation = c.conversation \
             WHERE c.campaign = $1",
        )
        .bind(campaign.cast_signed())
        .fetch_one(self.database.read())
        .await?;
        Ok(Reach { sent: number(&row, 0)?, delivered: number(&row, 1)?, read: number(&row, 2)? })
    }
}
