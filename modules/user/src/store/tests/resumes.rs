//! Many sessions that are resumed in one transaction.

use broker_schemas::caller::Role;

use super::*;

fn token() -> TokenHash {
    Token::generate().unwrap().hash()
}

#[tokio::test]
async fn many_are_resumed_together_and_each_as_if_alone() {
    each_database(async |store| {
        let (alice, bob) = (account(&store, "alice").await, account(&store, "bob").await);
        store.give_role(bob, Role::Auditor).await.unwrap();
        let (a, b) = (edge("a"), edge("b"));
        let mut tokens = Vec::new();
        for (user, edge) in [(bob, None), (alice, Some(&a)), (alice, None)] {
            let token = token();
            let open = SignIn { token: token.clone(), edge, ..SignIn::default() };
            tokens.push((token, open.of(&store, user).await.unwrap().session));
        }
        assert!(!is_online(&store, bob).await);
        let resumption = |token: &TokenHash| Resumption {
            token: token.clone(),
            next: self::token(),
            expires_at: later(),
            edge: Some(b.clone()),
        };
        // Among them one that is void, and one whose client asks twice for want of a reply.
        let asked = [&tokens[0].0, &token(), &tokens[1].0, &tokens[2].0, &tokens[1].0].map(resumption);
        let opened = store.resume_sessions(&asked).await.unwrap();
        let of = |open: &Option<OpenSession>| open.as_ref().map(|open| (open.user, open.name.clone()));
        let (is_alice, is_bob) = (Some((alice, "alice".to_owned())), Some((bob, "bob".to_owned())));
        assert_eq!(
            opened.iter().map(of).collect::<Vec<_>>(),
            [is_bob, None, is_alice.clone(), is_alice.clone(), is_alice]
        );
        let open: Vec<_> = opened.into_iter().flatten().collect();
        let moved: Vec<_> = open.iter().map(|open| open.moved_from).collect();
        assert_eq!(
            moved,
            [None, Some(tokens[1].1), None, Some(open[1].session)],
            "who was held, and asked twice"
        );
        let roles: Vec<_> = open.iter().map(|open| open.roles.clone()).collect();
        assert_eq!(roles, [vec![Role::Auditor], vec![], vec![], vec![]]);
        let presence: Vec<_> = open.iter().flat_map(|open| open.presence.clone()).collect();
        assert_eq!(presence, online(bob), "alice was online before");

        // What counts now: the answers' sessions, but for the one that was overtaken; and their tokens.
        for (open, lives) in open.iter().zip([true, false, true, true]) {
            let renewed = store.renew_session(open.user, open.session, Some(&b)).await.unwrap();
            assert_eq!(renewed.is_some(), lives, "{open:?}");
        }
        let again: Vec<_> = asked.iter().map(|asked| resumption(&asked.next)).collect();
        let opened = store.resume_sessions(&again).await.unwrap();
        let works: Vec<_> = opened.iter().map(Option::is_some).collect();
        assert_eq!(works, [true, false, false, true, true]);
    })
    .await;
}

#[tokio::test]
async fn void_tokens_alone_begin_no_transaction() {
    each_database(async |store| {
        // SQLite has one writer: whoever wants to write waits for this one.
        let writer = store.database.begin().await.unwrap();
        let asked = [token(), token()].map(|token| Resumption {
            next: token.clone(),
            token,
            expires_at: later(),
            edge: Some(edge("a")),
        });
        assert_eq!(store.resume_sessions(&asked).await.unwrap(), [None, None]);
        writer.rollback().await.unwrap();
    })
    .await;
}
