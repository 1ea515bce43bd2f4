//! Announcements, and who has seen them.

use broker_schemas::admin::{AnnouncedEvent, AnnouncementEntry};
use broker_schemas::announcement::{MAX, SeenRevision};
use broker_schemas::{Timestamp, UserId};
use natter_host::Result;
use sqlx::any::AnyRow;
use sqlx::{Row, query, query_scalar};

use super::{Store, bound, next_id, to_i64};

/// An announcement after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// As it is now.
    To(AnnouncedEvent),
    Missing,
    Withdrawn,
}

impl Store {
    /// Makes an announcement, unless [`MAX`] are in force.
    pub(crate) async fn announce(
        &self,
        text: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<AnnouncedEvent>> {
        let mut transaction = self.begin().await?;
        // Whoever makes another one waits here.
        let id = next_id(&mut transaction, "announcement").await?;
        let in_force: i64 =
            query_scalar("SELECT COUNT(*) FROM announcement WHERE until_at > $1 AND withdrawn_at IS NULL")
                .bind(now.0)
                .fetch_one(&mut *transaction)
                .await?;
        if in_force >= i64::try_from(MAX).unwrap_or(i64::MAX) {
            return Ok(None);
        }
        query("INSERT INTO announcement (id, revision, text, made_at, until_at) VALUES ($1, 1, $2, $3, $4)")
            .bind(id)
            .bind(text)
            .bind(now.0)
            .bind(until.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let announcement = id.cast_unsigned();
        Ok(Some(AnnouncedEvent { announcement, revision: 1, text: Some(text.to_owned()), until }))
    }

    /// Changes an announcement. The same text again is no other revision.
    pub(crate) async fn change_announcement(
        &self,
        id: u64,
        text: Option<&str>,
        until: Option<Timestamp>,
    ) -> Result<Changed> {
        const SQL: &str = "
            UPDATE announcement SET
                revision = revision + CASE WHEN text <> COALESCE($2, text) THEN 1 ELSE 0 END,
                text = COALESCE($2, text), until_at = COALESCE($3, until_at)
            WHERE id = $1 AND withdrawn_at IS NULL RETURNING id, revision, text, until_at";
        let row = query(SQL)
            .bind(to_i64(id))
            .bind(text)
            .bind(until.map(|until| until.0))
            .fetch_optional(self.database.write())
            .await?;
        match row {
            Some(row) => Ok(Changed::To(event(&row)?)),
            None if self.announcement_exists(id).await? => Ok(Changed::Withdrawn),
            None => Ok(Changed::Missing),
        }
    }

    /// Takes an announcement back; [`Changed::Withdrawn`] when it was already.
    pub(crate) async fn withdraw(&self, id: u64, now: Timestamp) -> Result<Changed> {
        const SQL: &str = "
            UPDATE announcement SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL
            RETURNING id, revision, text, until_at";
        let row = query(SQL).bind(to_i64(id)).bind(now.0).fetch_optional(self.database.write()).await?;
        match row {
            Some(row) => Ok(Changed::To(AnnouncedEvent { text: None, ..event(&row)? })),
            None if self.announcement_exists(id).await? => Ok(Changed::Withdrawn),
            None => Ok(Changed::Missing),
        }
    }

    async fn announcement_exists(&self, id: u64) -> Result<bool> {
        let found: Option<i64> = query_scalar("SELECT id FROM announcement WHERE id = $1")
            .bind(to_i64(id))
            .fetch_optional(self.database.write())
            .await?;
        Ok(found.is_some())
    }

    /// Up to `limit` announcements before one, the newest first.
    pub(crate) async fn announcements(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AnnouncementEntry>> {
        const SQL: &str = "
            SELECT id, revision, text, made_at, until_at, withdrawn_at, (
                SELECT COUNT(*) FROM seen
                WHERE seen.announcement_id = announcement.id AND seen.revision = announcement.revision
            ) AS seen_by
            FROM announcement WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let rows = query(SQL)
            .bind(bound(before, i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        let entry = |row: &AnyRow| {
            Ok(AnnouncementEntry {
                announcement: row.try_get::<i64, _>("id")?.cast_unsigned(),
                revision: revision(row)?,
                text: row.try_get("text")?,
                made_at: Timestamp(row.try_get("made_at")?),
                until: Timestamp(row.try_get("until_at")?),
                withdrawn_at: row.try_get::<Option<i64>, _>("withdrawn_at")?.map(Timestamp),
                seen_by: row.try_get::<i64, _>("seen_by")?.cast_unsigned(),
            })
        };
        rows.iter().map(entry).collect()
    }

    /// The announcements in force that `user` hasn't seen in their present revision, the oldest first.
    pub(crate) async fn unseen(&self, user: UserId, now: Timestamp) -> Result<Vec<AnnouncedEvent>> {
        const SQL: &str = "
            SELECT id, announcement.revision, text, until_at FROM announcement
            LEFT JOIN seen ON announcement_id = id AND user_id = $1 AND seen.revision >= announcement.revision
            WHERE until_at > $2 AND withdrawn_at IS NULL AND announcement_id IS NULL ORDER BY id LIMIT $3";
        let rows = query(SQL)
            .bind(i64::from(user))
            .bind(now.0)
            .bind(i64::try_from(MAX).unwrap_or(i64::MAX))
            .fetch_all(self.database.read())
            .await?;
        rows.iter().map(event).collect()
    }

    /// Notes what `user` has seen. What doesn't exist, or not yet in that revision, is passed over.
    pub(crate) async fn mark_seen(&self, user: UserId, seen: &[SeenRevision]) -> Result<()> {
        const SQL: &str = "
            INSERT INTO seen (announcement_id, user_id, revision)
            SELECT id, $2, $3 FROM announcement WHERE id = $1 AND revision >= $3
            ON CONFLICT (announcement_id, user_id) DO UPDATE SET revision = excluded.revision
            WHERE seen.revision < excluded.revision";
        let mut transaction = self.begin().await?;
        // In one order, so that two devices of one user don't wait for each other.
        let mut seen = seen.to_vec();
        seen.sort_by_key(|seen| seen.announcement);
        for SeenRevision { announcement, revision } in seen {
            query(SQL)
                .bind(to_i64(announcement))
                .bind(i64::from(user))
                .bind(i64::from(revision))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn event(row: &AnyRow) -> Result<AnnouncedEvent> {
    Ok(AnnouncedEvent {
        announcement: row.try_get::<i64, _>("id")?.cast_unsigned(),
        revision: revision(row)?,
        text: Some(row.try_get("text")?),
        until: Timestamp(row.try_get("until_at")?),
    })
}

fn revision(row: &AnyRow) -> Result<u32> {
    Ok(u32::try_from(row.try_get::<i64, _>("revision")?).unwrap_or(u32::MAX))
}
