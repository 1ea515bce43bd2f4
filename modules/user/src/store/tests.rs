//! Each test runs once per database that there is, each time with tables of its own.

mod administration;
mod guesses;
mod resumes;

use std::time::Duration;

use broker_schemas::user::PresenceChanged;
use broker_schemas::{EdgeId, SessionId, Timestamp, UserId};
use natter_host::testing::databases;
use sqlx::query;

use super::{Edge, MIGRATIONS, NewSession, OpenSession, Resumption, Store};
use crate::guessing::Origin;
use crate::token::{Token, TokenHash};

pub(crate) async fn each_database(test: impl AsyncFn(Store)) {
    for there in databases("user", MIGRATIONS).await {
        println!("with {}", there.name);
        test(Store::new(there.database.clone())).await;
        there.database.close().await;
    }
}

fn edge(name: &str) -> EdgeId {
    EdgeId::new(name).unwrap()
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn later() -> Timestamp {
    now().after(Duration::from_secs(60))
}

fn online(user: UserId) -> Vec<PresenceChanged> {
    vec![PresenceChanged { user, online: true }]
}

fn offline(user: UserId) -> Vec<PresenceChanged> {
    vec![PresenceChanged { user, online: false }]
}

/// An account whose PHC string is `hash`.
async fn account(store: &Store, name: &str) -> UserId {
    store.create_account(name, name, "hash").await.unwrap().unwrap()
}

impl Store {
    async fn resume_session(
        &self,
        token: &TokenHash,
        next: &TokenHash,
        expires_at: Timestamp,
        edge: Option<&EdgeId>,
    ) -> natter_host::Result<Option<OpenSession>> {
        let (token, next, edge) = (token.clone(), next.clone(), edge.cloned());
        let mut opened = self.resume_sessions(&[Resumption { token, next, expires_at, edge }]).await?;
        Ok(opened.remove(0))
    }
}

/// What a test may want otherwise of a sign-in.
struct SignIn<'a> {
    password: &'a str,
    address: &'a str,
    edge: Option<&'a EdgeId>,
    token: TokenHash,
    expires_at: Timestamp,
    most: u32,
}

impl Default for SignIn<'_> {
    fn default() -> Self {
        Self {
            password: "hash",
            address: "192.0.2.1",
            edge: None,
            token: Token::generate().unwrap().hash(),
            expires_at: later(),
            most: 20,
        }
    }
}

impl SignIn<'_> {
    async fn of(self, store: &Store, user: UserId) -> Option<OpenSession> {
        let new = NewSession {
            user,
            password: self.password,
            device: "phone",
            origin: &Origin::of(Some(self.address)),
            edge: self.edge,
            token: &self.token,
            expires_at: self.expires_at,
            most: self.most,
        };
        store.open_session(&new).await.unwrap()
    }
}

async fn sign_in(store: &Store, user: UserId, edge: Option<&EdgeId>) -> OpenSession {
    SignIn { edge, ..SignIn::default() }.of(store, user).await.unwrap()
}

async fn is_online(store: &Store, user: UserId) -> bool {
    store.profiles(&[user]).await.unwrap()[0].online
}

/// Renews a session from an edge; whose presence that changed, if the session goes on.
async fn renew(
    store: &Store,
    user: UserId,
    session: SessionId,
    edge: &EdgeId,
) -> Option<Vec<PresenceChanged>> {
    let renewed = store.renew_session(user, session, Some(edge)).await.unwrap();
    renewed.map(|renewed| renewed.presence)
}

#[tokio::test]
async fn a_name_is_taken_once_whatever_its_case() {
    each_database(async |store| {
        let alice = account(&store, "Alice").await;
        assert!(store.is_taken("alice").await.unwrap());
        assert_eq!(store.create_account("aLICE", "x", "hash").await.unwrap(), None);
        let bob = account(&store, "bob").await;
        assert!(bob > alice);
        let found = store.find("alice").await.unwrap().unwrap();
        assert_eq!((found.user, found.name.as_str()), (alice, "Alice"));
        assert_eq!(store.find("carol").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_it() {
    each_database(async |store| {
        let (one, other) = tokio::join!(
            store.create_account("alice", "1", "hash"),
            store.create_account("Alice", "2", "hash")
        );
        assert_eq!(usize::from(one.unwrap().is_some()) + usize::from(other.unwrap().is_some()), 1);
    })
    .await;
}

#[tokio::test]
async fn profiles_are_of_those_that_exist() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        let nobody = UserId::new(999_999).unwrap();
        let mut profiles = store.profiles(&[bob, nobody, alice]).await.unwrap();
        profiles.sort_by_key(|profile| profile.user);
        assert_eq!(profiles.iter().map(|profile| profile.user).collect::<Vec<_>>(), [alice, bob]);
        assert!(store.profiles(&[]).await.unwrap().is_empty());
        let many: Vec<_> = (1..=5_000).map(|n| UserId::new(n).unwrap()).collect();
        assert_eq!(store.profiles(&many).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_display_name_changes_while_there_is_an_account() {
    each_database(async |store| {
        let alice = account(&store, "alice").await;
        assert!(store.set_display_name(alice, "Älice").await.unwrap());
        assert_eq!(store.find("alice").await.unwrap().unwrap().display_name, "Älice");
        assert!(!store.set_display_name(UserId::new(99).unwrap(), "x").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn only_addresses_of_good_sign_ins_are_known_and_only_the_last_eight() {
    each_database(async |store| {
        let alice = account(&store, "alice").await;
        let known = async |address: &str| {
            let origin = Origin::of(Some(address));
            store.credentials("alice", &origin).await.unwrap().unwrap().origin_is_known
        };
        assert!(!known("192.0.2.1").await);
        for last in 1..=9 {
            let address = &format!("192.0.2.{last}");
            SignIn { address, ..SignIn::default() }.of(&store, alice).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(!known("192.0.2.1").await);
        assert!(known("192.0.2.2").await && known("192.0.2.9").await);
        assert!(
            SignIn { password: "old", address: "192.0.2.77", ..SignIn::default() }
                .of(&store, alice)
                .await
                .is_none()
        );
        assert!(!known("192.0.2.77").await);
    })
    .await;
}

#[tokio::test]
async fn the_first_session_brings_a_user_online_and_the_last_one_offline() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let first = sign_in(&store, alice, Some(&a)).await;
        assert_eq!(first.presence, online(alice));
        let second = sign_in(&store, alice, Some(&a)).await;
        assert_eq!(second.presence, []);
        assert!(is_online(&store, alice).await);

        assert_eq!(store.close_session(alice, first.session).await.unwrap(), []);
        assert_eq!(store.close_session(alice, second.session).await.unwrap(), offline(alice));
        assert_eq!(store.close_session(alice, second.session).await.unwrap(), [], "twice is once");
        assert!(!is_online(&store, alice).await);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_no_edge_holds_is_not_presence() {
    each_database(async |store| {
        let alice = account(&store, "alice").await;
        let operator = sign_in(&store, alice, None).await;
        assert_eq!(operator.presence, []);
        assert!(!is_online(&store, alice).await);
        assert_eq!(store.close_session(alice, operator.session).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn nobody_closes_a_session_of_another_user() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        let open = sign_in(&store, alice, Some(&edge("a"))).await;
        store.close_session(bob, open.session).await.unwrap();
        assert!(store.renew_session(bob, open.session, None).await.unwrap().is_none());
        assert!(store.renew_session(alice, open.session, None).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_token_works_once_and_again_until_its_successor_was_used() {
    each_database(async |store| {
        let alice = account(&store, "alice").await;
        for edge in [None, Some(edge("a"))] {
            let tokens: Vec<_> = (0..5).map(|_| Token::generate().unwrap().hash()).collect();
            SignIn { token: tokens[0].clone(), ..SignIn::default() }.of(&store, alice).await.unwrap();
            let resume = async |old: usize, new: usize| {
                let open = store.resume_session(&tokens[old], &tokens[new], later(), edge.as_ref()).await;
                open.unwrap().is_some()
            };
            assert!(resume(0, 1).await);
            // The reply with token 1 got lost: the client asks again and gets token 2; token 1 is void.
            assert!(resume(0, 2).await);
            assert!(!resume(1, 3).await);
            assert!(resume(2, 3).await);
            assert!(!resume(0, 4).await, "its successor was used");
            assert!(resume(2, 4).await);
        }
    })
    .await;
}

/// Otherwise two connections could have it at once: what ends it on the one would leave it open on the other.
#[tokio::test]
async fn a_session_that_is_resumed_has_ended_where_it_was() {
    each_database(async |store| {
        let (alice, a, b) = (account(&store, "alice").await, edge("a"), edge("b"));
        let tokens: Vec<_> = (0..4).map(|_| Token::generate().unwrap().hash()).collect();
        let open = SignIn { token: tokens[0].clone(), edge: Some(&a), ..SignIn::default() };
        let first = open.of(&store, alice).await.unwrap();
        assert_eq!(first.moved_from, None);
        let resume = async |index: usize, edge| {
            store.resume_session(&tokens[index - 1], &tokens[index], later(), edge).await.unwrap().unwrap()
        };
        let second = resume(1, Some(&b)).await;
        assert_eq!(second.moved_from, Some(first.session), "its edge is told");
        assert!(second.session > first.session, "it counts as the newest");
        assert!(store.renew_session(alice, first.session, Some(&a)).await.unwrap().is_none());
        assert_eq!(store.close_session(alice, first.session).await.unwrap(), []);
        assert!(store.renew_session(alice, second.session, Some(&b)).await.unwrap().is_some());
        assert!(is_online(&store, alice).await);

        store.report(&b, &[second.session]).await.unwrap();
        let third = resume(2, Some(&b)).await;
        assert_eq!(third.moved_from, None, "no edge had it any more");
        let fourth = resume(3, None).await;
        assert_eq!((fourth.session, fourth.moved_from), (third.session, None), "an operator moves nothing");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_expired_opens_nothing() {
    each_database(async |store| {
        let (alice, token) = (account(&store, "alice").await, Token::generate().unwrap().hash());
        let sign_in = SignIn { token: token.clone(), expires_at: now(), ..SignIn::default() };
        let session = sign_in.of(&store, alice).await.unwrap().session;
        let next = Token::generate().unwrap().hash();
        assert_eq!(store.resume_session(&token, &next, later(), None).await.unwrap(), None);
        assert!(store.renew_session(alice, session, None).await.unwrap().is_none());
        assert_eq!(store.forget_expired_sessions().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_moved_is_not_closed_by_the_edge_it_left() {
    each_database(async |store| {
        let (alice, a, b) = (account(&store, "alice").await, edge("a"), edge("b"));
        let token = Token::generate().unwrap().hash();
        let open = SignIn { token: token.clone(), edge: Some(&a), ..SignIn::default() };
        let session = open.of(&store, alice).await.unwrap().session;
        let next = Token::generate().unwrap().hash();
        let moved = store.resume_session(&token, &next, later(), Some(&b)).await.unwrap().unwrap();
        assert_eq!(moved.presence, [], "online before and after");
        assert_eq!(store.report(&a, &[session]).await.unwrap().presence, []);
        assert!(is_online(&store, alice).await);
        assert_eq!(store.report(&b, &[moved.session]).await.unwrap().presence, offline(alice));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_broke_does_not_claim_a_session_back() {
    each_database(async |store| {
        let (alice, a, b) = (account(&store, "alice").await, edge("a"), edge("b"));
        let session = sign_in(&store, alice, Some(&b)).await.session;
        assert_eq!(renew(&store, alice, session, &a).await, Some(vec![]));
        assert_eq!(store.report(&a, &[session]).await.unwrap().presence, []);
        assert_eq!(store.report(&b, &[session]).await.unwrap().presence, offline(alice));
        assert_eq!(renew(&store, alice, session, &a).await, Some(online(alice)));
    })
    .await;
}

#[tokio::test]
async fn an_operators_resume_leaves_the_session_where_it_is() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let token = Token::generate().unwrap().hash();
        SignIn { token: token.clone(), edge: Some(&a), ..SignIn::default() }.of(&store, alice).await.unwrap();
        let next = Token::generate().unwrap().hash();
        store.resume_session(&token, &next, later(), None).await.unwrap().unwrap();
        assert!(is_online(&store, alice).await);
    })
    .await;
}

#[tokio::test]
async fn too_many_sessions_end_the_oldest_that_nobody_uses_then_the_oldest() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let oldest = sign_in(&store, alice, Some(&a)).await.session;
        let idle = sign_in(&store, alice, None).await.session;
        let more = async || SignIn { edge: Some(&a), most: 3, ..SignIn::default() }.of(&store, alice).await;
        let third = more().await.unwrap();
        assert_eq!(third.displaced, []);
        let fourth = more().await.unwrap();
        assert_eq!(fourth.displaced, [], "the idle one went, which nobody needs to be told");
        assert!(store.renew_session(alice, idle, None).await.unwrap().is_none());
        let fifth = more().await.unwrap();
        assert_eq!(fifth.displaced, [oldest]);
        for session in [third.session, fourth.session, fifth.session] {
            assert!(store.renew_session(alice, session, None).await.unwrap().is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let mine = sign_in(&store, alice, None).await.session;
        let other = sign_in(&store, alice, Some(&a)).await.session;
        let changed = store.change_password(alice, "hash", "new", mine).await.unwrap();
        assert_eq!(changed, Some(offline(alice)));
        assert!(store.renew_session(alice, mine, None).await.unwrap().is_some());
        assert!(store.renew_session(alice, other, None).await.unwrap().is_none());
        assert_eq!(store.change_password(alice, "hash", "newer", mine).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_with_the_old_password_does_not_survive_its_change() {
    each_database(async |store| {
        for round in 0..20 {
            let alice = account(&store, &format!("alice{round}")).await;
            let mine = sign_in(&store, alice, None).await.session;
            let (open, changed) = tokio::join!(
                SignIn::default().of(&store, alice),
                store.change_password(alice, "hash", "new", mine)
            );
            assert!(changed.unwrap().is_some());
            if let Some(open) = open {
                assert!(store.renew_session(alice, open.session, None).await.unwrap().is_none());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_but_its_departure() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        let token = Token::generate().unwrap().hash();
        let sign_in = SignIn { token: token.clone(), edge: Some(&a), ..SignIn::default() };
        let session = sign_in.of(&store, alice).await.unwrap().session;
        assert_eq!(store.delete_account(alice, "other").await.unwrap(), None);
        assert_eq!(store.delete_account(alice, "hash").await.unwrap(), Some(true));
        assert_eq!(store.delete_account(alice, "hash").await.unwrap(), None);

        assert_eq!(store.find("alice").await.unwrap(), None);
        assert!(store.profiles(&[alice]).await.unwrap().is_empty());
        assert!(store.renew_session(alice, session, Some(&a)).await.unwrap().is_none());
        assert_eq!(store.resume_session(&token, &token, later(), Some(&a)).await.unwrap(), None);
        assert_eq!(SignIn::default().of(&store, alice).await, None);
        assert_eq!(store.attached_sessions().await.unwrap(), 0);

        let again = account(&store, "alice").await;
        assert_ne!(again, alice, "the name is free, the id is not used again");
        assert_eq!(store.departures().await.unwrap(), [alice]);
        store.departed(alice).await.unwrap();
        store.departed(alice).await.unwrap();
        assert!(store.departures().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_first_report_asks_for_every_session_and_the_next_ones_do_not() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        // A sign-in may come before the first report.
        sign_in(&store, alice, Some(&a)).await;
        assert!(store.report(&a, &[]).await.unwrap().is_first);
        assert!(!store.report(&a, &[]).await.unwrap().is_first);
        sign_in(&store, alice, Some(&a)).await;
        assert!(!store.report(&a, &[]).await.unwrap().is_first);
        assert_eq!(store.edges().await.unwrap(), [Edge { id: "a".into(), reports: 3 }]);
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_fell_silent_takes_its_sessions_with_it_and_brings_them_back() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        let (a, b) = (edge("a"), edge("b"));
        let session = sign_in(&store, alice, Some(&a)).await.session;
        sign_in(&store, bob, Some(&a)).await;
        sign_in(&store, bob, Some(&b)).await;
        store.report(&a, &[]).await.unwrap();
        let seen = store.edges().await.unwrap().into_iter().find(|edge| edge.id == "a").unwrap();

        assert_eq!(store.give_up(&seen).await.unwrap(), offline(alice), "bob is still on the other edge");
        assert_eq!(store.give_up(&seen).await.unwrap(), [], "another copy was faster");
        assert!(is_online(&store, bob).await && !is_online(&store, alice).await);

        // A sign-in before the next report must not hide that the others are missing.
        sign_in(&store, bob, Some(&a)).await;
        assert!(store.report(&a, &[]).await.unwrap().is_first);
        assert_eq!(renew(&store, alice, session, &a).await, Some(online(alice)));
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_reported_in_time_is_not_given_up() {
    each_database(async |store| {
        let (alice, a) = (account(&store, "alice").await, edge("a"));
        sign_in(&store, alice, Some(&a)).await;
        let seen = store.edges().await.unwrap().remove(0);
        store.report(&a, &[]).await.unwrap();
        assert_eq!(store.give_up(&seen).await.unwrap(), []);
        assert!(is_online(&store, alice).await);
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_edge_never_heard_of_it_is_lost_in_the_end_and_a_renewed_one_is_not() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        let a = edge("a");
        sign_in(&store, alice, Some(&a)).await;
        let renewed = sign_in(&store, bob, Some(&a)).await.session;
        for _ in 0..60 {
            assert_eq!(store.begin_round().await.unwrap(), []);
            assert_eq!(renew(&store, bob, renewed, &a).await, Some(vec![]));
        }
        assert_eq!(store.begin_round().await.unwrap(), offline(alice));
        assert!(is_online(&store, bob).await);
    })
    .await;
}

#[tokio::test]
async fn a_whole_edge_of_sessions_goes_at_once() {
    each_database(async |store| {
        let a = edge("a");
        store.report(&a, &[]).await.unwrap();
        let mut transaction = store.database.begin().await.unwrap();
        for id in 1..=3_000_i64 {
            for sql in [
                "INSERT INTO account (id, name, name_key, display_name, password, online, created_at) \
                 VALUES ($1, $2, $2, $2, 'hash', 1, 0)",
                "INSERT INTO session VALUES ($1, $1, '', $2, NULL, 0, 9000000000000, 'a', 0)",
            ] {
                query(sql).bind(id).bind(format!("user{id}")).execute(&mut *transaction).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
        let closed: Vec<_> = (1..=1_024).map(|id| SessionId::new(id).unwrap()).collect();
        assert_eq!(store.report(&a, &closed).await.unwrap().presence.len(), 1_024);
        let seen = store.edges().await.unwrap().remove(0);
        assert_eq!(store.give_up(&seen).await.unwrap().len(), 3_000 - 1_024);
        assert_eq!(store.attached_sessions().await.unwrap(), 0);
    })
    .await;
}

/// Everything that touches presence, at once and in every order: nothing deadlocks, and in the end, and in the sum of
/// what was told, users are online exactly if an edge holds a session of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn presence_is_right_whatever_happens_at_once() {
    each_database(async |store| {
        let users = [account(&store, "alice").await, account(&store, "bob").await];
        let edges = [edge("a"), edge("b")];
        let worker = async |seed: u64| {
            let mut told = Vec::new();
            let mut mine: Vec<(UserId, SessionId, TokenHash)> = Vec::new();
            let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for _ in 0..40 {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let (user, edge) = (users[dice as usize % 2], &edges[(dice >> 8) as usize % 2]);
                match ((dice >> 16) % 6, mine.pop()) {
                    (0, Some((user, session, _))) => {
                        told.extend(store.close_session(user, session).await.unwrap());
                    }
                    (1, Some((_, session, _))) => {
                        told.extend(store.report(edge, &[session]).await.unwrap().presence);
                    }
                    (2, Some((user, session, token))) => {
                        let renewed = store.renew_session(user, session, Some(edge)).await.unwrap();
                        told.extend(renewed.map(|renewed| renewed.presence).unwrap_or_default());
                        mine.push((user, session, token));
                    }
                    // All of them, of both users, newest first.
                    (3, Some(kept)) => {
                        mine.push(kept);
                        let edge = Some(edge.clone());
                        let resumptions: Vec<_> = mine
                            .iter()
                            .rev()
                            .map(|(_, _, token)| Resumption {
                                token: token.clone(),
                                next: Token::generate().unwrap().hash(),
                                expires_at: later(),
                                edge: edge.clone(),
                            })
                            .collect();
                        let opened = store.resume_sessions(&resumptions).await.unwrap();
                        for ((mine, asked), open) in mine.iter_mut().rev().zip(resumptions).zip(opened) {
                            let Some(open) = open else { continue };
                            *mine = (open.user, open.session, asked.next);
                            told.extend(open.presence);
                        }
                    }
                    (4, kept) => {
                        mine.extend(kept);
                        told.extend(store.begin_round().await.unwrap());
                        for edge in store.edges().await.unwrap() {
                            told.extend(store.give_up(&edge).await.unwrap());
                        }
                    }
                    (_, kept) => {
                        mine.extend(kept);
                        let token = Token::generate().unwrap().hash();
                        let sign_in = SignIn {
                            edge: Some(edge),
                            token: token.clone(),
                            most: 1_000,
                            ..SignIn::default()
                        };
                        let open = sign_in.of(&store, user).await.unwrap();
                        told.extend(open.presence);
                        mine.push((user, open.session, token));
                    }
                }
            }
            told
        };
        let told = tokio::join!(worker(1), worker(2), worker(3), worker(4));
        let told = [told.0, told.1, told.2, told.3].concat();
        for user in users {
            let sessions: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM session WHERE account = $1 AND edge IS NOT NULL")
                    .bind(i64::from(user))
                    .fetch_one(store.database.read())
                    .await
                    .unwrap();
            let count =
                |online| told.iter().filter(|told| told.user == user && told.online == online).count();
            assert_eq!(is_online(&store, user).await, sessions > 0);
            assert_eq!(count(true) - count(false), usize::from(sessions > 0), "each change is told once");
        }
    })
    .await;
}
