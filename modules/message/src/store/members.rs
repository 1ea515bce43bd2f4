//! Who is in which conversation.

use std::collections::{BTreeSet, HashMap};

use broker_schemas::message::{Membership, Present, Reader, Standing};
use broker_schemas::{Conversation, GroupId, UserId};
use natter_host::{Dialect, Transaction};
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::rows::{
    NOTHING, SEAT, bound_users, conversation, listing, member, number, padded, placeholders, seat, user,
};
use super::{Result, Store};
use crate::access::{Member, Seat};

/// The order of lists that not all of a user's conversations fit into: the one with the newest message first, dissolved
/// groups last. Anybody can put friends into groups that are dissolved at once, as many as they like.
pub(super) const LIVE_FIRST: &str =
    "CASE WHEN c.open = 0 AND c.id LIKE 'g%' THEN 1 ELSE 0 END, c.last_at DESC, c.id";

impl Store {
    /// A conversation as one of its members sees it; `None` for everyone else.
    pub(crate) async fn seat(&self, user: UserId, which: Conversation) -> Result<Option<Seat>> {
        Self::seat_in(self.database.read(), user, which).await
    }

    /// The same, read where a snapshot may be.
    pub(crate) async fn seat_in(
        reader: impl Executor<'_, Database = Any>,
        user: UserId,
        which: Conversation,
    ) -> Result<Option<Seat>> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {SEAT} FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 AND b.conversation = $2"
        )))
        .bind(i64::from(user))
        .bind(which.to_string())
        .fetch_optional(reader)
        .await?;
        row.as_ref().map(seat).transpose()
    }

    /// Those of these users, each in a conversation, who are members of it.
    pub(crate) async fn members(
        transaction: &mut Transaction,
        users: &BTreeSet<(UserId, Conversation)>,
    ) -> Result<HashMap<(UserId, Conversation), Member>> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT user_id, conversation, role, first_seq, read_seq, since, muted_until FROM member \
             WHERE (user_id, conversation) IN (VALUES {})",
            placeholders(Dialect::of(transaction), rows, 2)
        );
        let mut query = listing(sql, rows);
        for (user, conversation) in users {
            query = query.bind(i64::from(*user)).bind(conversation.to_string());
        }
        for _ in users.len()..rows {
            query = query.bind(0_i64).bind(NOTHING);
        }
        let rows = query.fetch_all(&mut **transaction).await?;
        rows.iter().map(|row| Ok(((user(row, 0)?, conversation(row, 1)?), member(row, 2)?))).collect()
    }

    /// Where a user stands in each conversation, in the order of [`LIVE_FIRST`]; at most `limit`.
    pub(crate) async fn standings(&self, user: UserId, limit: usize) -> Result<Vec<Standing>> {
        Self::standings_in(self.database.read(), user, limit).await
    }

    /// The same, read where a snapshot may be.
    pub(crate) async fn standings_in(
        reader: impl Executor<'_, Database = Any>,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<Standing>> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {SEAT} FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 ORDER BY {LIVE_FIRST} LIMIT $2"
        )))
        .bind(i64::from(user))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(reader)
        .await?;
        rows.iter().map(|row| Ok(seat(row)?.standing())).collect()
    }

    /// The members of a conversation who have read up to `seq` at least.
    pub(crate) async fn readers(&self, which: Conversation, seq: u64) -> Result<Vec<Reader>> {
        let rows = sqlx::query(
            "SELECT user_id, read_seq FROM member WHERE conversation = $1 AND read_seq >= $2 ORDER BY user_id",
        )
        .bind(which.to_string())
        .bind(seq.cast_signed())
        .fetch_all(self.database.read())
        .await?;
        rows.iter().map(|row| Ok(Reader { user: user(row, 0)?, seq: number(row, 1)? })).collect()
    }

    /// Whether a conversation has more than `most` members.
    pub(crate) async fn has_more_members(&self, which: Conversation, most: u32) -> Result<bool> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM member WHERE conversation = $1 LIMIT $2) AS b",
        )
        .bind(which.to_string())
        .bind(i64::from(most) + 1)
        .fetch_one(self.database.read())
        .await?;
        Ok(row.try_get::<i64, _>(0)? > i64::from(most))
    }

    /// The groups that a user is in, in the order of [`LIVE_FIRST`]; at most `limit`.
    pub(crate) async fn groups_of(&self, user: UserId, limit: usize) -> Result<Vec<Membership>> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT b.conversation, c.gate_version, b.since FROM member b JOIN conversation c ON c.id = b.conversation \
             WHERE b.user_id = $1 AND b.conversation LIKE 'g%' ORDER BY {LIVE_FIRST} LIMIT $2"
        )))
        .bind(i64::from(user))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.database.read())
        .await?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(group) = conversation(row, 0)?.group_id() {
                groups.push(Membership { group, version: number(row, 1)?, since: number(row, 2)? });
            }
        }
        Ok(groups)
    }

    /// Which of these users are in a group. One statement, so that the version and the members belong together.
    pub(crate) async fn present(&self, group: GroupId, users: &[UserId]) -> Result<Present> {
        let rows = padded(users.len());
        let sql = format!(
            "SELECT c.gate_version, b.user_id, b.since FROM conversation c LEFT JOIN member b \
             ON b.conversation = c.id AND b.user_id IN (VALUES {}) WHERE c.id = ${}",
            placeholders(self.dialect(), rows, 1),
            rows + 1,
        );
        let query = bound_users(listing(sql, rows), users, rows);
        let rows = query.bind(Conversation::group(group).to_string()).fetch_all(self.database.read()).await?;
        let mut present = Present { version: 0, members: Vec::new() };
        for row in &rows {
            present.version = number(row, 0)?;
            if row.try_get::<Option<i64>, _>(1)?.is_some() {
                present.members.push((user(row, 1)?, number(row, 2)?));
            }
        }
        present.members.sort_unstable();
        Ok(present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alter, fill, group, pair, seq, stores, user};
    use broker_schemas::group::Change;

    fn id(number: u64) -> GroupId {
        GroupId::new(number).unwrap()
    }

    #[tokio::test]
    async fn an_edge_learns_which_groups_its_user_is_in_and_as_of_when() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 1).await;
            group(&store, 8, &[2, 3]).await;
            group(&store, 9, &[1, 2]).await;
            alter(&store, 8, 2, 3, Change::Left { user: user(3) }).await;
            alter(&store, 8, 3, 1, Change::Joined { user: user(1) }).await;
            alter(&store, 8, 4, 2, Change::Dissolved {}).await;
            let mut groups = store.groups_of(user(1), 10).await.unwrap();
            groups.sort_by_key(|membership| membership.group);
            let expected = [
                Membership { group: id(8), version: 4, since: 3 },
                Membership { group: id(9), version: 1, since: 1 },
            ];
            assert_eq!(groups, expected, "{}", test.name);
            assert_eq!(store.groups_of(user(1), 1).await.unwrap().len(), 1, "{}", test.name);
            assert!(store.groups_of(user(3), 10).await.unwrap().is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn an_edge_learns_which_of_its_users_are_in_a_group() {
        for (store, test) in stores().await {
            group(&store, 9, &[1, 2, 3]).await;
            alter(&store, 9, 2, 1, Change::Kicked { user: user(2) }).await;
            alter(&store, 9, 3, 1, Change::Joined { user: user(4) }).await;
            let present = store.present(id(9), &[1, 2, 4, 5].map(user)).await.unwrap();
            let members = vec![(user(1), 1), (user(4), 3)];
            assert_eq!(present, Present { version: 3, members }, "{}", test.name);
            let nobody = store.present(id(9), &[]).await.unwrap();
            assert_eq!(nobody, Present { version: 3, members: vec![] }, "{}", test.name);
            let strangers = store.present(id(9), &[user(7)]).await.unwrap();
            assert_eq!(strangers, Present { version: 3, members: vec![] }, "{}", test.name);
            let unknown = store.present(id(7), &[user(1)]).await.unwrap();
            assert_eq!(unknown, Present { version: 0, members: vec![] }, "{}", test.name);
            let many: Vec<_> = (1..=10_000).map(user).collect();
            assert_eq!(store.present(id(9), &many).await.unwrap().members.len(), 3, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn readers_are_those_who_have_read_so_far() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 5).await;
            store.move_cursors(&[((user(2), pair(1, 2)), seq(4))].into()).await.unwrap();
            let all = [Reader { user: user(1), seq: 0 }, Reader { user: user(2), seq: 4 }];
            assert_eq!(store.readers(pair(1, 2), 0).await.unwrap(), all, "{}", test.name);
            assert_eq!(store.readers(pair(1, 2), 4).await.unwrap(), all[1..], "{}", test.name);
            assert!(store.readers(pair(1, 2), 5).await.unwrap().is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_group_is_large_when_it_has_more_members_than_that() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2, 3]).await;
            let more = async |most| store.has_more_members(there, most).await.unwrap();
            assert_eq!((more(0).await, more(2).await, more(3).await), (true, true, false), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn groups_that_were_made_and_dissolved_push_nothing_out() {
        for (store, test) in stores().await {
            let friend = pair(1, 2);
            fill(&store, friend, 1).await;
            let live = group(&store, 8, &[1, 2]).await;
            for number in 10..14 {
                group(&store, number, &[2, 1]).await;
                alter(&store, number, 2, 2, Change::Dissolved {}).await;
            }
            let standings = store.standings(user(1), 2).await.unwrap();
            let first: Vec<_> = standings.iter().map(|standing| standing.conversation).collect();
            assert_eq!(first, [live, friend], "{}", test.name);
            assert_eq!(store.groups_of(user(1), 1).await.unwrap()[0].group, id(8), "{}", test.name);
            // A friendship that is over is as it was.
            store.set_gate(friend, false, 2).await.unwrap();
            assert_eq!(store.standings(user(1), 2).await.unwrap()[1].conversation, friend, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn standings_come_newest_first_and_no_more_than_asked_for() {
        for (store, test) in stores().await {
            for peer in 2..=6 {
                fill(&store, pair(1, peer), 1).await;
            }
            crate::testing::say(&store, pair(1, 4), 1, "new").await;
            let standings = store.standings(user(1), 3).await.unwrap();
            assert_eq!(standings.len(), 3, "{}", test.name);
            let Standing { conversation, first_seq, last_seq, read_seq, revision } = standings[0];
            assert_eq!(conversation, pair(1, 4), "{}", test.name);
            assert_eq!((first_seq, last_seq, read_seq, revision), (1, 2, 0, 0), "{}", test.name);
        }
    }
}
