//! Direct conversations: whether the two may write to each other.

use broker_schemas::{Conversation, UserId};
use sqlx::AssertSqlSafe;

use super::rows::conversation;
use super::{Result, Store};

impl Store {
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

    /// Closes every direct conversation of a user for good, takes the user out of them, and names the other sides. Groups
    /// are the group module's.
    pub(crate) async fn forget(&self, user: UserId) -> Result<Vec<UserId>> {
        const DIRECT: &str = "SELECT conversation FROM member WHERE user_id = $1 AND conversation LIKE 'u%'";
        let mut transaction = self.begin().await?;
        let lock = format!(
            "SELECT id FROM conversation WHERE id IN ({DIRECT}) ORDER BY id{}",
            self.database.for_update()
        );
        sqlx::query(AssertSqlSafe(lock)).bind(i64::from(user)).fetch_all(&mut *transaction).await?;
        let close = format!("UPDATE conversation SET open = 0, gate_version = $2 WHERE id IN ({DIRECT})");
        sqlx::query(AssertSqlSafe(close))
            .bind(i64::from(user))
            .bind(i64::MAX)
            .execute(&mut *transaction)
            .await?;
        let rows = sqlx::query(
            "DELETE FROM member WHERE user_id = $1 AND conversation LIKE 'u%' RETURNING conversation",
        )
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
}

#[cfg(test)]
mod tests {
    use crate::testing::{entries, fill, group, pair, stores, user};

    #[tokio::test]
    async fn an_older_gate_does_not_undo_a_newer_one() {
        for (store, test) in stores().await {
            store.set_gate(pair(1, 2), false, 7).await.unwrap();
            store.set_gate(pair(1, 2), true, 6).await.unwrap();
            let mut transaction = store.begin().await.unwrap();
            let place = store.lock(&mut transaction, &[pair(1, 2)].into()).await.unwrap()[&pair(1, 2)];
            assert!(!place.is_open, "{}", test.name);
            assert_eq!(place.version, 7, "{}", test.name);
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
            assert_eq!(store.standings(user(2), 10).await.unwrap().len(), 1, "{}", test.name);
            assert_eq!(store.seat(user(1), there).await.unwrap(), None, "{}", test.name);
            assert_eq!(entries(&store, there).await.len(), 2, "{}", test.name);
            let seat = store.seat(user(2), there).await.unwrap().unwrap();
            assert!(!seat.place.is_open, "{}: the gate stays shut", test.name);
        }
    }

    #[tokio::test]
    async fn groups_of_a_forgotten_user_are_left_to_the_group_module() {
        for (store, test) in stores().await {
            group(&store, 9, &[1, 2]).await;
            assert!(store.forget(user(1)).await.unwrap().is_empty(), "{}", test.name);
            let seat = store.seat(user(1), "g9".parse().unwrap()).await.unwrap().unwrap();
            assert!(seat.place.is_open, "{}", test.name);
        }
    }
}
