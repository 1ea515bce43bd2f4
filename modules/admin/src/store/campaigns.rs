//! Campaigns: what they are, how far they are, and which copy of this module sends them.

use anyhow::Context;
use broker_schemas::admin::{CampaignState, Hours, Segment};
use broker_schemas::{Timestamp, UserId};
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row, query, query_as, query_scalar};

use super::{Store, bound, next_id, to_i64};

/// A campaign that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCampaign {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) segment: Segment,
    pub(crate) starts_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) hours: Option<Hours>,
    pub(crate) per_second: u32,
}

/// A campaign, as it is in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: u64,
    pub(crate) plan: NewCampaign,
    pub(crate) state: CampaignState,
    pub(crate) trouble: Option<String>,
    pub(crate) recipients: Option<u64>,
    /// Everyone in the segment up to this user has it.
    pub(crate) last_user: Option<UserId>,
}

/// The right of one copy of this module to send campaigns, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leased<'a> {
    /// Which copy.
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) until: Timestamp,
}

/// What [`stored`] reads.
const COLUMNS: &str = "id, title, text, segment, starts_at, ends_at, from_minute, to_minute, per_second, state, \
                       trouble, recipients, last_user";

impl Store {
    pub(crate) async fn create_campaign(&self, new: &NewCampaign, by: UserId, now: Timestamp) -> Result<u64> {
        const SQL: &str = "
            INSERT INTO campaign (id, title, text, segment, starts_at, ends_at, from_minute, to_minute, per_second,
                state, last_user, made_by, made_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', 0, $10, $11)";
        let segment = serde_json::to_string(&new.segment).context("encode a segment")?;
        let mut transaction = self.begin().await?;
        let id = next_id(&mut transaction, "campaign").await?;
        query(SQL)
            .bind(id)
            .bind(&new.title)
            .bind(&new.text)
            .bind(segment)
            .bind(new.starts_at.map(|at| at.0))
            .bind(new.ends_at.map(|at| at.0))
            .bind(new.hours.map(|hours| i64::from(hours.from_minute)))
            .bind(new.hours.map(|hours| i64::from(hours.to_minute)))
            .bind(i64::from(new.per_second))
            .bind(i64::from(by))
            .bind(now.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id.cast_unsigned())
    }

    pub(crate) async fn campaign(&self, id: u64) -> Result<Option<Stored>> {
        let row = query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM campaign WHERE id = $1")))
            .bind(to_i64(id))
            .fetch_optional(self.database.read())
            .await?;
        row.as_ref().map(stored).transpose()
    }

    /// Up to `limit` campaigns before one, the newest first.
    pub(crate) async fn campaigns(&self, before: Option<u64>, limit: u32) -> Result<Vec<Stored>> {
        let sql = format!("SELECT {COLUMNS} FROM campaign WHERE id < $1 ORDER BY id DESC LIMIT $2");
        let rows = query(AssertSqlSafe(sql))
            .bind(bound(before, i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(stored).collect()
    }

    /// How many campaigns run whose start has come.
    pub(crate) async fn running_campaigns(&self, now: Timestamp) -> Result<u64> {
        const SQL: &str = "
            SELECT COUNT(*) FROM campaign WHERE state = 'running' AND (starts_at IS NULL OR starts_at <= $1)";
        let count: i64 = query_scalar(SQL).bind(now.0).fetch_one(self.database.read()).await?;
        Ok(count.cast_unsigned())
    }

    /// Whether nobody sends a campaign while as many as `most` others are sent.
    pub(crate) async fn waits_for_others(&self, id: u64, most: u64, now: Timestamp) -> Result<bool> {
        const SQL: &str = "
            SELECT COUNT(*), COUNT(CASE WHEN id = $1 THEN 1 END) FROM campaign
            WHERE state = 'running' AND lease_until > $2";
        let (sent, it): (i64, i64) =
            query_as(SQL).bind(to_i64(id)).bind(now.0).fetch_one(self.database.read()).await?;
        Ok(it == 0 && sent.cast_unsigned() >= most)
    }

    /// Moves a campaign from one state to another; `false` when it isn't in that state any more.
    pub(crate) async fn move_campaign(
        &self,
        id: u64,
        from: CampaignState,
        to: CampaignState,
        recipients: Option<u64>,
    ) -> Result<bool> {
        const SQL: &str = "
            UPDATE campaign SET state = $3, trouble = NULL, recipients = COALESCE($4, recipients)
            WHERE id = $1 AND state = $2";
        let moved = query(SQL)
            .bind(to_i64(id))
            .bind(state_name(from))
            .bind(state_name(to))
            .bind(recipients.map(to_i64))
            .execute(self.database.write())
            .await?;
        Ok(moved.rows_affected() > 0)
    }

    /// Ends campaigns whose end has come.
    pub(crate) async fn expire_campaigns(&self, now: Timestamp) -> Result<u64> {
        // Looked up first: once a second nothing is to be written.
        const DUE: &str =
            "SELECT id FROM campaign WHERE state IN ('running', 'paused') AND ends_at <= $1 LIMIT 1";
        const SQL: &str = "
            UPDATE campaign SET state = 'expired', trouble = NULL
            WHERE state IN ('running', 'paused') AND ends_at <= $1";
        let due: Option<i64> = query_scalar(DUE).bind(now.0).fetch_optional(self.database.read()).await?;
        if due.is_none() {
            return Ok(0);
        }
        Ok(query(SQL).bind(now.0).execute(self.database.write()).await?.rows_affected())
    }

    /// Campaigns that run, whose start has come, and that nobody else sends: each with its hours, by id.
    pub(crate) async fn due_campaigns(
        &self,
        lease: Leased<'_>,
        limit: u32,
    ) -> Result<Vec<(u64, Option<Hours>)>> {
        const SQL: &str = "
            SELECT id, from_minute, to_minute FROM campaign
            WHERE state = 'running' AND (starts_at IS NULL OR starts_at <= $1)
              AND (lease_until IS NULL OR lease_until <= $1 OR lease_by = $2)
            ORDER BY id LIMIT $3";
        let rows = query(SQL)
            .bind(lease.now.0)
            .bind(lease.by)
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(|row| Ok((row.try_get::<i64, _>("id")?.cast_unsigned(), hours(row)?))).collect()
    }

    /// Takes the right to send a campaign, or keeps it. `None` when somebody else has it, or it doesn't run.
    pub(crate) async fn lease_campaign(&self, id: u64, lease: Leased<'_>) -> Result<Option<Stored>> {
        let sql = format!(
            "UPDATE campaign SET lease_by = $2, lease_until = $4
             WHERE id = $1 AND state = 'running' AND (starts_at IS NULL OR starts_at <= $3)
               AND (lease_until IS NULL OR lease_until <= $3 OR lease_by = $2)
             RETURNING {COLUMNS}"
        );
        let row = query(AssertSqlSafe(sql))
            .bind(to_i64(id))
            .bind(lease.by)
            .bind(lease.now.0)
            .bind(lease.until.0)
            .fetch_optional(self.database.write())
            .await?;
        row.as_ref().map(stored).transpose()
    }

    /// Notes up to whom a campaign was sent, also when it was halted meanwhile, and keeps the right to send it. The state it is in;
    /// `None` when somebody else sends it by now.
    pub(crate) async fn advance_campaign(
        &self,
        id: u64,
        lease: Leased<'_>,
        last_user: UserId,
    ) -> Result<Option<CampaignState>> {
        const SQL: &str = "
            UPDATE campaign SET last_user = $3, trouble = NULL, lease_until = $4
            WHERE id = $1 AND lease_by = $2 AND last_user <= $3 RETURNING state";
        let state: Option<String> = query_scalar(SQL)
            .bind(to_i64(id))
            .bind(lease.by)
            .bind(i64::from(last_user))
            .bind(lease.until.0)
            .fetch_optional(self.database.write())
            .await?;
        state.as_deref().map(state_of).transpose()
    }

    /// Says why a campaign doesn't get on.
    pub(crate) async fn trouble_campaign(&self, id: u64, lease: Leased<'_>, words: &str) -> Result<()> {
        query("UPDATE campaign SET trouble = $3, lease_until = $4 WHERE id = $1 AND lease_by = $2 AND state = 'running'")
            .bind(to_i64(id))
            .bind(lease.by)
            .bind(words)
            .bind(lease.until.0)
            .execute(self.database.write())
            .await?;
        Ok(())
    }

    /// Everyone has it.
    pub(crate) async fn finish_campaign(&self, id: u64, by: &str) -> Result<()> {
        const SQL: &str = "
            UPDATE campaign SET state = 'done', trouble = NULL, lease_until = NULL
            WHERE id = $1 AND lease_by = $2 AND state = 'running'";
        query(SQL).bind(to_i64(id)).bind(by).execute(self.database.write()).await?;
        Ok(())
    }

    /// Gives up the right to send a campaign, so that another copy needn't wait for its end.
    pub(crate) async fn release_campaign(&self, id: u64, by: &str) -> Result<()> {
        query("UPDATE campaign SET lease_until = NULL WHERE id = $1 AND lease_by = $2 AND lease_until IS NOT NULL")
            .bind(to_i64(id))
            .bind(by)
            .execute(self.database.write())
            .await?;
        Ok(())
    }
}

fn stored(row: &AnyRow) -> Result<Stored> {
    let time =
        |column| -> Result<Option<Timestamp>> { Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp)) };
    let segment: String = row.try_get("segment")?;
    let last_user: i64 = row.try_get("last_user")?;
    Ok(Stored {
        id: row.try_get::<i64, _>("id")?.cast_unsigned(),
        plan: NewCampaign {
            title: row.try_get("title")?,
            text: row.try_get("text")?,
            segment: serde_json::from_str(&segment).context("a segment in the database")?,
            starts_at: time("starts_at")?,
            ends_at: time("ends_at")?,
            hours: hours(row)?,
            per_second: u32::try_from(row.try_get::<i64, _>("per_second")?).unwrap_or(1).max(1),
        },
        state: state_of(&row.try_get::<String, _>("state")?)?,
        trouble: row.try_get("trouble")?,
        recipients: row.try_get::<Option<i64>, _>("recipients")?.map(i64::cast_unsigned),
        last_user: (last_user > 0).then(|| last_user.try_into()).transpose()?,
    })
}

fn hours(row: &AnyRow) -> Result<Option<Hours>> {
    let minute = |column| -> Result<Option<u16>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.and_then(|minute| u16::try_from(minute).ok()))
    };
    let both = minute("from_minute")?.zip(minute("to_minute")?);
    Ok(both.map(|(from_minute, to_minute)| Hours { from_minute, to_minute }))
}

const STATES: [(CampaignState, &str); 6] = [
    (CampaignState::Draft, "draft"),
    (CampaignState::Running, "running"),
    (CampaignState::Paused, "paused"),
    (CampaignState::Done, "done"),
    (CampaignState::Expired, "expired"),
    (CampaignState::Cancelled, "cancelled"),
];

pub(crate) fn state_name(state: CampaignState) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).map_or("?", |(_, name)| name)
}

fn state_of(name: &str) -> Result<CampaignState> {
    let found = STATES.iter().find(|(_, known)| *known == name);
    Ok(found.map(|(state, _)| *state).context("a campaign's state in the database")?)
}
