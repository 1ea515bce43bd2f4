//! The tables: every SQL text of this module.

use std::fmt;

use broker_schemas::friend::Gate;
use broker_schemas::message::SetGate;
use broker_schemas::{Timestamp, UserId};
use natter_host::silence::{SILENCE_TABLE, SILENCE_VERSION};
use natter_host::{Database, Result, Transaction};
use sqlx::AnyConnection;

use crate::relation::{Pair, Relation, Tie};

/// What [`Database::open`] applies.
pub(crate) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "friends", include_str!("../migrations/0001_friends.sql")),
    (2, "silences", SILENCE_TABLE),
    (3, "silences' versions", SILENCE_VERSION),
];

/// The most entries of one kind in one answer, so that it fits into a message of the bus.
pub(crate) const LISTED: u32 = 1_024;

/// This module's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

/// What another user is to somebody: the kinds of the view `entry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Friend,
    Outgoing,
    Incoming,
    Blocked,
}

impl Kind {
    /// As the view calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Friend => "friend",
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
            Self::Blocked => "blocked",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Friend => "friends",
            Self::Outgoing => "unanswered requests",
            Self::Incoming => "requests to answer",
            Self::Blocked => "blocked users",
        })
    }
}

/// Another user, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) user: UserId,
    pub(crate) since: Timestamp,
}

/// A pair's relation that nobody else changes until this is committed or dropped; dropped, it stays as it was.
#[derive(Debug)]
pub(crate) struct Locked {
    transaction: Transaction,
    pair: Pair,
    version: i64,
    /// As `pair.me` sees it.
    pub(crate) relation: Relation,
}

impl Store {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Locks the relation of `pair`, which need not have had one.
    pub(crate) async fn lock(&self, pair: Pair) -> Result<Locked> {
        const SQL: &str = "
            INSERT INTO relation (a, b, version) VALUES ($1, $2, 0)
            ON CONFLICT (a, b) DO UPDATE SET version = relation.version
            RETURNING asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b, version";
        let (a, b) = pair.ordered();
        let mut transaction = self.database.begin().await?;
        let (asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b, version): (_, _, _, _, _, i64) =
            sqlx::query_as(SQL).bind(i64::from(a)).bind(i64::from(b)).fetch_one(&mut *transaction).await?;
        let relation = Facts { asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b }.seen_by(pair);
        Ok(Locked { transaction, pair, version, relation })
    }

    /// Whether the users of `pair` may write to each other.
    pub(crate) async fn gate(&self, pair: Pair) -> Result<Gate> {
        const SQL: &str = "SELECT friends, version FROM relation WHERE a = $1 AND b = $2";
        let (a, b) = pair.ordered();
        let found: Option<(Option<i64>, i64)> = sqlx::query_as(SQL)
            .bind(i64::from(a))
            .bind(i64::from(b))
            .fetch_optional(self.database.read())
            .await?;
        let (friends, version) = found.unwrap_or_default();
        Ok(Gate { open: friends.is_some(), version: version.cast_unsigned() })
    }

    /// What others are to `user`, oldest first; at most [`LISTED`].
    pub(crate) async fn list(&self, user: UserId, kind: Kind) -> Result<Vec<Entry>> {
        const SQL: &str =
            "SELECT other, since FROM entry WHERE me = $1 AND kind = $2 ORDER BY since, other LIMIT $3";
        let rows: Vec<(i64, i64)> = sqlx::query_as(SQL)
            .bind(i64::from(user))
            .bind(kind.name())
            .bind(i64::from(LISTED))
            .fetch_all(self.database.read())
            .await?;
        rows.into_iter()
            .map(|(other, since)| Ok(Entry { user: other.try_into()?, since: Timestamp(since) }))
            .collect()
    }

    /// Deletes up to `limit` relations of `user`; returns them, each as `user` saw it.
    pub(crate) async fn forget(&self, user: UserId, limit: u32) -> Result<Vec<(Pair, Relation)>> {
        const SQL: &str = "
            DELETE FROM relation
            WHERE (a, b) IN (SELECT a, b FROM relation WHERE a = $1 OR b = $1 ORDER BY a, b LIMIT $2)
            RETURNING a, b, asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b, version";
        let mut transaction = self.database.begin().await?;
        let rows: Vec<(i64, i64, _, _, _, _, _, i64)> = sqlx::query_as(SQL)
            .bind(i64::from(user))
            .bind(i64::from(limit))
            .fetch_all(&mut *transaction)
            .await?;
        let mut forgotten = Vec::with_capacity(rows.len());
        for (a, b, asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b, version) in rows {
            let (a, b) = (UserId::try_from(a)?, UserId::try_from(b)?);
            let pair = if a == user { Pair { me: a, other: b } } else { Pair { me: b, other: a } };
            let facts = Facts { asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b };
            let relation = facts.seen_by(pair);
            if relation.are_friends() {
                record_gate(&mut transaction, pair, false, version + 1).await?;
            }
            forgotten.push((pair, relation));
        }
        transaction.commit().await?;
        Ok(forgotten)
    }

    /// The gate of `pair`, if the message module has not confirmed it yet.
    pub(crate) async fn untold_gate(&self, pair: Pair) -> Result<Option<SetGate>> {
        const SQL: &str = "SELECT a, b, open, version FROM gate_outbox WHERE a = $1 AND b = $2";
        let (a, b) = pair.ordered();
        let found = sqlx::query_as(SQL)
            .bind(i64::from(a))
            .bind(i64::from(b))
            .fetch_optional(self.database.read())
            .await?;
        found.map(set_gate).transpose()
    }

    /// Gates that the message module has not confirmed yet, up to `limit`, those after `last` in the order of pairs.
    pub(crate) async fn untold_gates(&self, last: Option<&SetGate>, limit: u32) -> Result<Vec<SetGate>> {
        const SQL: &str = "
            SELECT a, b, open, version FROM gate_outbox WHERE (a, b) > ($1, $2) ORDER BY a, b LIMIT $3";
        let (a, b) = last.map_or((0, 0), |last| (last.a.into(), last.b.into()));
        let rows = sqlx::query_as(SQL)
            .bind(a)
            .bind(b)
            .bind(i64::from(limit))
            .fetch_all(self.database.read())
            .await?;
        rows.into_iter().map(set_gate).collect()
    }

    /// Notes that the message module has confirmed `told`, unless a newer one waits by now.
    pub(crate) async fn forget_gate(&self, told: &SetGate) -> Result<()> {
        const SQL: &str = "DELETE FROM gate_outbox WHERE a = $1 AND b = $2 AND version = $3";
        sqlx::query(SQL)
            .bind(i64::from(told.a))
            .bind(i64::from(told.b))
            .bind(told.gate.version.cast_signed())
            .execute(self.database.write())
            .await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

impl Locked {
    /// How many others are `kind` to `user`.
    pub(crate) async fn count(&mut self, user: UserId, kind: Kind) -> Result<u64> {
        const SQL: &str = "SELECT COUNT(*) FROM entry WHERE me = $1 AND kind = $2";
        let (count,): (i64,) = sqlx::query_as(SQL)
            .bind(i64::from(user))
            .bind(kind.name())
            .fetch_one(&mut *self.transaction)
            .await?;
        Ok(count.cast_unsigned())
    }

    /// Stores what became of the relation for good and, when that opened or closed the gate, that it has to be told.
    pub(crate) async fn commit(mut self, after: Relation) -> Result<()> {
        const SQL: &str = "
            UPDATE relation SET
                asked_by_a = $3, asked_by_b = $4, friends = $5, blocked_by_a = $6, blocked_by_b = $7, version = $8
            WHERE a = $1 AND b = $2";
        let (a, b) = self.pair.ordered();
        let version = self.version + 1;
        let facts = Facts::of(self.pair, after);
        sqlx::query(SQL)
            .bind(i64::from(a))
            .bind(i64::from(b))
            .bind(facts.asked_by_a)
            .bind(facts.asked_by_b)
            .bind(facts.friends)
            .bind(facts.blocked_by_a)
            .bind(facts.blocked_by_b)
            .bind(version)
            .execute(&mut *self.transaction)
            .await?;
        if after.are_friends() != self.relation.are_friends() {
            record_gate(&mut self.transaction, self.pair, after.are_friends(), version).await?;
        }
        self.transaction.commit().await?;
        Ok(())
    }

    /// Leaves the relation as it was.
    pub(crate) async fn release(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }
}

/// Writes down that the message module has to learn of a gate.
async fn record_gate(connection: &mut AnyConnection, pair: Pair, open: bool, version: i64) -> Result<()> {
    const SQL: &str = "
        INSERT INTO gate_outbox (a, b, open, version) VALUES ($1, $2, $3, $4)
        ON CONFLICT (a, b) DO UPDATE SET open = excluded.open, version = excluded.version
        WHERE gate_outbox.version < excluded.version";
    let (a, b) = pair.ordered();
    sqlx::query(SQL)
        .bind(i64::from(a))
        .bind(i64::from(b))
        .bind(i64::from(open))
        .bind(version)
        .execute(connection)
        .await?;
    Ok(())
}

fn set_gate((a, b, open, version): (i64, i64, i64, i64)) -> Result<SetGate> {
    let gate = Gate { open: open != 0, version: version.cast_unsigned() };
    Ok(SetGate { a: a.try_into()?, b: b.try_into()?, gate })
}

/// A row of `relation`, without its key.
struct Facts {
    asked_by_a: Option<i64>,
    asked_by_b: Option<i64>,
    friends: Option<i64>,
    blocked_by_a: Option<i64>,
    blocked_by_b: Option<i64>,
}

impl Facts {
    fn seen_by(self, pair: Pair) -> Relation {
        let tie = match (self.friends, self.asked_by_a, self.asked_by_b) {
            (Some(since), _, _) => Tie::Friends(Timestamp(since)),
            (None, Some(since), _) => Tie::Asked(Timestamp(since)),
            (None, None, Some(since)) => Tie::WasAsked(Timestamp(since)),
            (None, None, None) => Tie::None,
        };
        let seen_by_a = Relation {
            tie,
            blocks: self.blocked_by_a.map(Timestamp),
            blocked: self.blocked_by_b.map(Timestamp),
        };
        if pair.me < pair.other { seen_by_a } else { seen_by_a.flipped() }
    }

    fn of(pair: Pair, relation: Relation) -> Self {
        let seen_by_a = if pair.me < pair.other { relation } else { relation.flipped() };
        let (asked_by_a, asked_by_b, friends) = match seen_by_a.tie {
            Tie::None => (None, None, None),
            Tie::Asked(since) => (Some(since.0), None, None),
            Tie::WasAsked(since) => (None, Some(since.0), None),
            Tie::Friends(since) => (None, None, Some(since.0)),
        };
        let blocked_by_a = seen_by_a.blocks.map(|since| since.0);
        let blocked_by_b = seen_by_a.blocked.map(|since| since.0);
        Self { asked_by_a, asked_by_b, friends, blocked_by_a, blocked_by_b }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use natter_host::testing::{TestDatabase, databases};

    use super::*;
    use crate::relation::tests::{EARLIER, NOW, pair, reachable};

    pub(crate) async fn stores() -> Vec<(Store, TestDatabase)> {
        let databases = databases("friend", MIGRATIONS).await;
        databases.into_iter().map(|test| (Store::new(test.database.clone()), test)).collect()
    }

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    const FRIENDS: Relation = Relation { tie: Tie::Friends(NOW), blocks: None, blocked: None };

    async fn set(store: &Store, pair: Pair, relation: Relation) {
        store.lock(pair).await.unwrap().commit(relation).await.unwrap();
    }

    async fn users(store: &Store, me: u64, kind: Kind) -> Vec<u64> {
        store.list(user(me), kind).await.unwrap().into_iter().map(|entry| entry.user.get()).collect()
    }

    #[tokio::test]
    async fn both_sides_read_what_either_stored() {
        for (store, test) in stores().await {
            for relation in reachable() {
                for there in [pair(1, 2), pair(2, 1)] {
                    set(&store, there, relation).await;
                    let read = store.lock(there).await.unwrap();
                    assert_eq!(read.relation, relation, "{}", test.name);
                    read.release().await.unwrap();
                    let read = store.lock(there.flipped()).await.unwrap();
                    assert_eq!(read.relation, relation.flipped(), "{}", test.name);
                }
            }
        }
    }

    #[tokio::test]
    async fn each_side_is_listed_what_it_is_shown() {
        for (store, test) in stores().await {
            for relation in reachable() {
                for there in [pair(1, 2), pair(2, 1)] {
                    set(&store, there, relation).await;
                    let me = there.me.get();
                    let listed = |kind| users(&store, me, kind);
                    let expect = |yes: bool| if yes { vec![there.other.get()] } else { vec![] };
                    let context = format!("{}: {relation:?}", test.name);
                    let asked = matches!(relation.tie, Tie::Asked(_));
                    let was_asked = matches!(relation.tie, Tie::WasAsked(_)) && relation.is_shown();
                    assert_eq!(listed(Kind::Friend).await, expect(relation.are_friends()), "{context}");
                    assert_eq!(listed(Kind::Outgoing).await, expect(asked), "{context}");
                    assert_eq!(listed(Kind::Incoming).await, expect(was_asked), "{context}");
                    assert_eq!(listed(Kind::Blocked).await, expect(relation.blocks.is_some()), "{context}");
                }
            }
        }
    }

    #[tokio::test]
    async fn the_oldest_is_listed_first() {
        for (store, test) in stores().await {
            set(&store, pair(5, 2), FRIENDS).await;
            set(&store, pair(5, 9), Relation { tie: Tie::Friends(EARLIER), ..FRIENDS }).await;
            set(&store, pair(2, 9), FRIENDS).await;
            assert_eq!(users(&store, 5, Kind::Friend).await, [9, 2], "{}", test.name);
            let mut locked = store.lock(pair(5, 7)).await.unwrap();
            assert_eq!(locked.count(user(5), Kind::Friend).await.unwrap(), 2, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_gate_is_to_be_told_when_it_changes_and_its_version_grows_with_every_change() {
        for (store, test) in stores().await {
            let there = pair(2, 1);
            let asked = Relation { tie: Tie::Asked(NOW), ..Relation::default() };
            assert_eq!(store.gate(there).await.unwrap(), Gate { open: false, version: 0 });
            set(&store, there, asked).await;
            assert_eq!(store.gate(there).await.unwrap(), Gate { open: false, version: 1 });
            assert_eq!(store.untold_gate(there).await.unwrap(), None, "{}", test.name);

            set(&store, there, FRIENDS).await;
            let opened = store.untold_gate(there).await.unwrap().unwrap();
            let expected = SetGate { a: user(1), b: user(2), gate: Gate { open: true, version: 2 } };
            assert_eq!(opened, expected, "{}", test.name);

            set(&store, there, Relation::default()).await;
            store.forget_gate(&opened).await.unwrap();
            let closed = store.untold_gate(there).await.unwrap().unwrap();
            assert_eq!(closed.gate, Gate { open: false, version: 3 }, "{}", test.name);
            store.forget_gate(&closed).await.unwrap();
            assert_eq!(store.untold_gate(there).await.unwrap(), None, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn the_outbox_is_read_page_by_page() {
        for (store, test) in stores().await {
            for (a, b) in [(1, 2), (1, 10), (3, 4)] {
                set(&store, pair(b, a), FRIENDS).await;
            }
            let first = store.untold_gates(None, 2).await.unwrap();
            let rest = store.untold_gates(first.last(), 2).await.unwrap();
            let pairs: Vec<_> = first.iter().chain(&rest).map(|gate| (gate.a.get(), gate.b.get())).collect();
            assert_eq!(pairs, [(1, 2), (1, 10), (3, 4)], "{}", test.name);
            assert!(store.untold_gates(rest.last(), 2).await.unwrap().is_empty(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_user_is_forgotten_in_batches_and_the_gates_close() {
        for (store, test) in stores().await {
            set(&store, pair(5, 2), FRIENDS).await;
            set(&store, pair(5, 9), Relation { blocked: Some(NOW), ..Relation::default() }).await;
            set(&store, pair(7, 5), Relation { tie: Tie::Asked(NOW), ..Relation::default() }).await;
            set(&store, pair(2, 9), FRIENDS).await;

            let mut forgotten = store.forget(user(5), 2).await.unwrap();
            assert_eq!(forgotten.len(), 2, "{}", test.name);
            forgotten.extend(store.forget(user(5), 2).await.unwrap());
            forgotten.sort_by_key(|(pair, _)| pair.other);
            let asked = Relation { tie: Tie::WasAsked(NOW), ..Relation::default() };
            let blocked = Relation { blocked: Some(NOW), ..Relation::default() };
            let expected = [(pair(5, 2), FRIENDS), (pair(5, 7), asked), (pair(5, 9), blocked)];
            assert_eq!(forgotten, expected, "{}", test.name);
            assert!(store.forget(user(5), 2).await.unwrap().is_empty(), "{}", test.name);

            let closed = store.untold_gate(pair(5, 2)).await.unwrap().unwrap();
            assert_eq!(closed.gate, Gate { open: false, version: 2 }, "{}", test.name);
            assert_eq!(store.untold_gate(pair(5, 7)).await.unwrap(), None, "{}", test.name);
            assert_eq!(users(&store, 2, Kind::Friend).await, [9], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn an_older_gate_does_not_replace_a_newer_one_in_the_outbox() {
        for (store, test) in stores().await {
            set(&store, pair(1, 2), FRIENDS).await;
            set(&store, pair(1, 2), FRIENDS).await;
            store.forget(user(1), 10).await.unwrap();
            // The versions begin anew; the message module knows better ones.
            set(&store, pair(1, 2), FRIENDS).await;
            let waiting = store.untold_gate(pair(1, 2)).await.unwrap().unwrap();
            assert_eq!(waiting.gate, Gate { open: false, version: 3 }, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn a_lock_that_is_dropped_changes_nothing() {
        for (store, test) in stores().await {
            drop(store.lock(pair(1, 2)).await.unwrap());
            assert_eq!(store.gate(pair(1, 2)).await.unwrap().version, 0, "{}", test.name);
            set(&store, pair(1, 2), FRIENDS).await;
            assert_eq!(store.gate(pair(1, 2)).await.unwrap().version, 1, "{}", test.name);
        }
    }
}
