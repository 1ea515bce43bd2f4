//! `message.search`: finds messages by words, in the conversations one is in.

use broker_schemas::message::{Found, SKIP_MAX, Search};
use broker_schemas::{Error, SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_conversation;
use crate::page::{Page, limit};
use crate::store::{Hits, Store};
use crate::words::{WORDS_MAX, question, words};

impl Handle<Search> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Search) -> Result<Found> {
        find(&self.store, call.caller.user(), &request).await
    }
}

pub(crate) async fn find(store: &Store, user: UserId, request: &Search) -> Result<Found> {
    let mut page = Page::new(limit(request.limit)?);
    let skip = request.skip.unwrap_or(0);
    if skip > SKIP_MAX {
        return Err(Error::invalid(format!("skip: expected 0 to {SKIP_MAX}, got {skip}")).into());
    }
    let words = words(&request.text);
    if words.is_empty() || words.len() > WORDS_MAX {
        return Err(Error::invalid(format!(
            "text: expected 1 to {WORDS_MAX} words of letters and digits, got {}",
            words.len()
        ))
        .into());
    }
    if let Some(conversation) = request.conversation
        && store.seat(user, conversation).await?.is_none()
    {
        return Err(no_such_conversation().into());
    }
    let question = question(store.dialect(), &words);
    let hits = Hits { user, question, conversation: request.conversation, skip };
    let mut snapshot = store.snapshot().await?;
    store.find(&mut snapshot, &mut page, &hits).await?;
    Store::add_reactions(&mut snapshot, &mut page, user).await?;
    snapshot.commit().await?;
    Ok(Found { messages: page.entries, more: page.more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alter, code, fill, group, pair, say, seq, stores, user};
    use crate::{edit, older};
    use broker_schemas::group::Change;
    use broker_schemas::message::Edit;
    use broker_schemas::{Code, Conversation, Text, Timestamp};
    use natter_host::Dialect;
    use std::time::Duration;

    fn ask(text: &str) -> Search {
        Search { text: Text::new(text).unwrap(), conversation: None, limit: None, skip: None }
    }

    /// What a user finds, newest first.
    async fn found(store: &Store, by: u64, text: &str) -> Vec<(Conversation, u64)> {
        let found = find(store, user(by), &ask(text)).await.unwrap();
        assert!(!found.more);
        found.messages.iter().map(|entry| (entry.conversation, entry.seq.get())).collect()
    }

    #[tokio::test]
    async fn words_are_found_by_their_beginnings_all_of_them_whatever_their_case() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            for text in
                ["Hello, World!", "hello there", "Café Straße 2026", "你好世界", "it's 100% \"AND\" * ~ -"]
            {
                say(&store, there, 1, text).await;
            }
            for (text, expected) in [
                ("hello", vec![2, 1]),
                ("HEL", vec![2, 1]),
                ("wor hel", vec![1]),
                ("hello nobody", vec![]),
                ("ello", vec![]),
                ("cafe STRASSE", vec![3]),
                ("202", vec![3]),
                ("世界", vec![4]),
                ("and", vec![5]),
                ("100% \"", vec![5]),
                ("' OR 1", vec![]),
            ] {
                let found = found(&store, 2, text).await;
                let places: Vec<_> = found.into_iter().map(|(_, at)| at).collect();
                assert_eq!(places, expected, "{}: {text}", test.name);
            }
            for text in
                ["", " ", "\"*~-'", "👍", "a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6"]
            {
                assert_eq!(code(find(&store, user(2), &ask(text)).await), Code::Invalid, "{}", test.name);
            }
        }
    }

    #[tokio::test]
    async fn only_what_one_may_read_is_found() {
        for (store, test) in stores().await {
            let (mine, theirs) = (pair(1, 2), pair(2, 3));
            store.set_gate(mine, true, 1).await.unwrap();
            store.set_gate(theirs, true, 1).await.unwrap();
            // One id begins with the other.
            let longer = pair(1, 23);
            store.set_gate(longer, true, 1).await.unwrap();
            for there in [mine, theirs, longer] {
                let (a, _) = there.pair().unwrap();
                say(&store, there, a.get(), "word").await;
            }
            assert_eq!(found(&store, 1, "word").await.len(), 2, "{}", test.name);
            assert_eq!(found(&store, 3, "word").await, [(theirs, 1)], "{}", test.name);
            assert!(found(&store, 9, "word").await.is_empty(), "{}", test.name);

            let there = group(&store, 9, &[2, 4]).await;
            say(&store, there, 2, "word before").await;
            alter(&store, 9, 2, 2, Change::Joined { user: user(5) }).await;
            say(&store, there, 2, "word after").await;
            assert_eq!(found(&store, 4, "word").await, [(there, 4), (there, 2)], "{}", test.name);
            assert_eq!(found(&store, 5, "word").await, [(there, 4)], "{}", test.name);
            alter(&store, 9, 3, 2, Change::Kicked { user: user(4) }).await;
            assert!(found(&store, 4, "word").await.is_empty(), "{}", test.name);
            let there_only = Search { conversation: Some(there), ..ask("word") };
            assert_eq!(code(find(&store, user(4), &there_only).await), Code::NotFound, "{}", test.name);
            let in_group = find(&store, user(2), &there_only).await.unwrap().messages;
            assert!(in_group.iter().all(|entry| entry.conversation == there), "{}", test.name);
            assert_eq!(in_group.len(), 2, "{}", test.name);
            assert_eq!(found(&store, 2, "word").await.len(), 4, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn an_edited_message_is_found_by_what_it_says_now() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            store.set_gate(there, true, 1).await.unwrap();
            say(&store, there, 1, "before").await;
            say(&store, there, 1, "before too").await;
            let request = Edit { conversation: there, seq: seq(1), text: Text::new("after").unwrap() };
            edit::apply(&store, user(1), &request, Duration::from_secs(9), Timestamp::now()).await.unwrap();
            assert_eq!(found(&store, 2, "before").await, [(there, 2)], "{}", test.name);
            assert_eq!(found(&store, 2, "after").await, [(there, 1)], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn results_come_in_pages_that_skip_what_came_before() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 25).await;
            fill(&store, pair(1, 3), 25).await;
            let page = async |skip, limit| {
                let request = Search { skip: Some(skip), limit: Some(limit), ..ask("text") };
                let Found { messages, more } = find(&store, user(1), &request).await.unwrap();
                (messages.into_iter().map(|entry| (entry.conversation, entry.seq)).collect::<Vec<_>>(), more)
            };
            let (mut all, more) = page(0, 30).await;
            assert_eq!((all.len(), more), (30, true), "{}", test.name);
            let (rest, more) = page(30, 20).await;
            assert_eq!((rest.len(), more), (20, false), "{}", test.name);
            all.extend(rest);
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 50, "{}", test.name);
            let too_far = Search { skip: Some(SKIP_MAX + 1), ..ask("text") };
            assert_eq!(code(find(&store, user(1), &too_far).await), Code::Invalid, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn what_an_older_copy_stored_and_was_edited_since_is_found_once() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            // As a copy of an older release stores it, while the copies are replaced one by one.
            for sql in ["UPDATE message SET indexed = 0", "DELETE FROM search WHERE rowid > 0"] {
                let sql = match store.dialect() {
                    Dialect::Sqlite => sql,
                    Dialect::Postgres => sql.trim_end_matches(" WHERE rowid > 0"),
                };
                sqlx::query(sql).execute(test.database.write()).await.unwrap();
            }
            let reworded = Edit { conversation: there, seq: seq(1), text: Text::new("reworded").unwrap() };
            let within = Duration::from_secs(1 << 40);
            edit::apply(&store, user(1), &reworded, within, Timestamp::now()).await.unwrap();
            older::index(&store).await.unwrap();
            assert_eq!(found(&store, 2, "reworded").await, [(there, 1)], "{}", test.name);
        }
    }

    /// With SQLite another copy may write for longer than anybody waits for a turn.
    #[tokio::test]
    async fn a_start_that_finds_nothing_to_index_waits_for_nobody() {
        for (store, test) in stores().await {
            fill(&store, pair(1, 2), 1).await;
            let writing = crate::testing::another_copy(&test).await.begin().await.unwrap();
            older::index(&store).await.unwrap();
            drop(writing);
        }
    }

    #[tokio::test]
    async fn what_was_stored_before_the_search_was_is_found_as_well() {
        for test in natter_host::testing::databases("message", &crate::store::MIGRATIONS[..1]).await {
            for sql in [
                "INSERT INTO conversation VALUES ('u1-u2', 700, 700, 1, 1)",
                "INSERT INTO member VALUES (1, 'u1-u2', 0), (2, 'u1-u2', 0)",
            ] {
                sqlx::query(sql).execute(test.database.write()).await.unwrap();
            }
            for seq in 1..=700_i64 {
                let text = if seq == 1 { "Grüße".to_owned() } else { format!("number{seq}") };
                sqlx::query("INSERT INTO message VALUES ('u1-u2', $1, 1, $2, $3, $1)")
                    .bind(seq)
                    .bind(uuid::Uuid::now_v7().simple().to_string())
                    .bind(text)
                    .execute(test.database.write())
                    .await
                    .unwrap();
            }
            let (one, other) =
                (crate::testing::another_copy(&test).await, crate::testing::another_copy(&test).await);
            let (a, b) = tokio::join!(older::index(&one), older::index(&other));
            a.unwrap();
            b.unwrap();
            older::index(&one).await.unwrap();
            let there = pair(1, 2);
            assert_eq!(found(&one, 2, "grusse").await, [(there, 1)], "{}", test.name);
            assert_eq!(found(&one, 2, "number700").await, [(there, 700)], "{}", test.name);
            assert_eq!(found(&one, 2, "number69").await.len(), 11, "{}", test.name);
            say(&one, there, 2, "number70x").await;
            assert_eq!(found(&one, 2, "number70").await.len(), 3, "{}", test.name);
        }
    }
}
