//! A user's list of conversations.

use broker_schemas::message::{Overview, PAGE_BYTES, PREVIEW_BYTES, Preview};
use broker_schemas::{Conversation, Seq, Timestamp, UserId};
use futures_util::TryStreamExt;
use natter_host::silence::silence_of;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::rows::{SEAT, kind_and_notice, seat, user};
use super::{Result, Store};

/// A page of a list.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) overviews: Vec<Overview>,
    pub(crate) more: bool,
}

impl Store {
    /// A user's conversations that come after `after` in the list, with their last messages; at most `limit`, and fewer
    /// when these are long. Whether a conversation is open is as of `now`.
    pub(crate) async fn list(
        &self,
        member: UserId,
        after: Option<Conversation>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed> {
        let is_silenced = silence_of(self.database.read(), member, now).await?.is_some();
        let (place_of, position) = match after {
            Some(_) => (
                "JOIN conversation a ON a.id = $3",
                "AND (c.last_at < a.last_at OR (c.last_at = a.last_at AND c.id > a.id))",
            ),
            None => ("", ""),
        };
        let sql = format!(
            "SELECT {SEAT}, m.seq, m.sender, SUBSTR(m.body, 1, {PREVIEW_BYTES}), m.sent_at, m.extras, m.recalled_by \
             FROM member b JOIN conversation c ON c.id = b.conversation {place_of} \
             LEFT JOIN message m ON m.conversation = c.id AND m.seq = c.last_seq AND m.seq >= b.first_seq \
             WHERE b.user_id = $1 {position} ORDER BY c.last_at DESC, c.id LIMIT $2"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(member))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
        if let Some(after) = after {
            query = query.bind(after.to_string());
        }
        let mut rows = query.fetch(self.database.read());
        let (mut listed, mut bytes) = (Listed::default(), 0);
        while let Some(row) = rows.try_next().await? {
            let seat = seat(&row)?;
            let (last, size) = match row.try_get::<Option<i64>, _>(11)? {
                Some(seq) => preview(&row, seq)?,
                None => (None, 0),
            };
            bytes += size;
            let is_full = listed.overviews.len() == limit;
            if is_full || (bytes > PAGE_BYTES && !listed.overviews.is_empty()) {
                listed.more = true;
                break;
            }
            let open = !is_silenced && seat.check_may_write(now).is_ok();
            listed.overviews.push(Overview { standing: seat.standing(), open, last });
        }
        Ok(listed)
    }
}

/// The beginning of the message at `seq`, and how many bytes it takes.
fn preview(row: &AnyRow, seq: i64) -> Result<(Option<Preview>, usize)> {
    let mut text: String = row.try_get(13)?;
    text.truncate(text.floor_char_boundary(PREVIEW_BYTES));
    let extras: Option<String> = row.try_get(15)?;
    let (kind, notice) = kind_and_notice(extras.as_deref())?;
    let size = text.len() + extras.map_or(0, |extras| extras.len());
    let preview = Preview {
        seq: Seq::try_from(seq)?,
        from: user(row, 12)?,
        text,
        sent_at: Timestamp(row.try_get(14)?),
        kind,
        notice,
        recalled: row.try_get::<Option<i64>, _>(16)?.is_some(),
    };
    Ok((Some(preview), size))
}
