//! Up to where members have read.

use std::collections::BTreeMap;

use broker_schemas::{Conversation, Seq, UserId};

use super::rows::{NOTHING, conversation, listing, padded, placeholders, user};
use super::{Result, Store};

impl Store {
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
            placeholders(self.dialect(), rows, 3)
        );
        let mut query = listing(sql, rows);
        for ((user, conversation), seq) in cursors {
            query = query.bind(i64::from(*user)).bind(conversation.to_string()).bind(i64::from(*seq));
        }
        for _ in cursors.len()..rows {
            query = query.bind(0_i64).bind(NOTHING).bind(0_i64);
        }
        let rows = query.fetch_all(self.database.write()).await?;
        rows.iter().map(|row| Ok((user(row, 0)?, conversation(row, 1)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fill, pair, stores, user};

    #[tokio::test]
    async fn cursors_only_move_forward() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 5).await;
            let to = |seq| BTreeMap::from([((user(1), there), Seq::new(seq).unwrap())]);
            assert_eq!(store.move_cursors(&to(4)).await.unwrap(), vec![(user(1), there)], "{}", test.name);
            assert!(store.move_cursors(&to(3)).await.unwrap().is_empty(), "{}", test.name);
            let seat = store.seat(user(1), there).await.unwrap().unwrap();
            assert_eq!((seat.place.last_seq, seat.member.read_seq), (5, 4), "{}", test.name);
            assert_eq!(store.seat(user(9), there).await.unwrap(), None, "{}", test.name);
        }
    }
}
