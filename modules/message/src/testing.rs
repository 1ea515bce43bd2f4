//! What the tests of several files make.

use std::collections::BTreeMap;

use broker_schemas::message::{ChangeGroup, Entry};
use broker_schemas::{Code, Conversation, GroupId, List, Seq, Text, Timestamp, UserId, group};
use natter_host::testing::{TestDatabase, databases};
use natter_host::{Database, Failure, Result};
use uuid::Uuid;

use crate::commit::commit;
use crate::page::Page;
use crate::plan::{Content, Draft, Outcome};
use crate::retry::retrying;
use crate::store::{MIGRATIONS, Range, Store};

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn pair(a: u64, b: u64) -> Conversation {
    Conversation::direct(user(a), user(b)).unwrap()
}

pub(crate) async fn stores() -> Vec<(Store, TestDatabase)> {
    let databases = databases("message", MIGRATIONS).await;
    databases.into_iter().map(|test| (Store::new(test.database.clone()), test)).collect()
}

/// Of the smaller id of a pair.
pub(crate) fn message(conversation: Conversation, at: u64, text: &str) -> Entry {
    Entry {
        conversation,
        seq: seq(at),
        from: conversation.pair().map_or(user(1), |(a, _)| a),
        client_id: Some(Uuid::now_v7()),
        text: text.to_owned(),
        sent_at: Timestamp(1),
        quote: None,
        mentions: Vec::new(),
        payload: None,
        notice: None,
        edited_at: None,
        recalled_by: None,
        reactions: Vec::new(),
        revision: 0,
        campaign: None,
    }
}

pub(crate) fn draft(conversation: Conversation, from: u64, text: &str) -> Draft {
    let content = Content { text: text.to_owned(), quote: None, mentions: Vec::new(), payload: None };
    Draft { conversation, from: user(from), client_id: Uuid::now_v7(), content }
}

/// Opens a direct conversation and puts `count` messages into it: `text 0`, `text 1` and so on.
pub(crate) async fn fill(store: &Store, conversation: Conversation, count: u64) {
    store.set_gate(conversation, true, 1).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let place = store.lock(&mut transaction, &[conversation].into()).await.unwrap()[&conversation];
    let entries: Vec<_> =
        (0..count).map(|n| message(conversation, place.last_seq + 1 + n, &format!("text {n}"))).collect();
    let last = BTreeMap::from([(conversation, place.last_seq + count)]);
    Store::advance(&mut transaction, &last, Timestamp(5)).await.unwrap();
    Store::insert(&mut transaction, &entries).await.unwrap();
    store.index(&mut transaction, &entries).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Every message of a conversation.
pub(crate) async fn entries(store: &Store, conversation: Conversation) -> Vec<Entry> {
    let mut page = Page::new(10_000);
    let all = Range { conversation, after: 0, to: 1 << 40 };
    let mut snapshot = store.snapshot().await.unwrap();
    Store::ranges(&mut snapshot, &mut page, &[all]).await.unwrap();
    page.entries
}

pub(crate) fn change(number: u64, version: u64, by: u64, change: group::Change) -> ChangeGroup {
    ChangeGroup {
        group: GroupId::new(number).unwrap(),
        version,
        by: user(by),
        change,
        visible: group::Visible::FromJoining,
    }
}

/// Sends by itself, in a batch of one.
pub(crate) async fn send(store: &Store, draft: &Draft) -> Outcome {
    let mut committed = commit(store, std::slice::from_ref(draft)).await.unwrap();
    committed.outcomes.remove(0)
}

/// Sends, and returns the place of the message.
pub(crate) async fn say(store: &Store, conversation: Conversation, from: u64, text: &str) -> Seq {
    match send(store, &draft(conversation, from, text)).await {
        Outcome::Sent(sent) => sent.seq,
        other => panic!("{other:?}"),
    }
}

/// Why something was refused.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: natter_host::Result<T>) -> Code {
    match result.unwrap_err() {
        Failure::Refused(error) => error.code,
        broken @ Failure::Broken(_) => panic!("{broken:?}"),
    }
}

/// Opens the same tables once more, as another copy of the module.
pub(crate) async fn another_copy(test: &TestDatabase) -> Store {
    Store::new(Database::open(&test.settings, "message", MIGRATIONS).await.unwrap())
}

/// Makes a change to a group.
pub(crate) async fn alter(store: &Store, number: u64, version: u64, by: u64, altered: group::Change) {
    crate::change_group::apply(store, &change(number, version, by, altered)).await.unwrap().unwrap();
}

/// Makes a group, at version 1; the first of `users` is its owner.
pub(crate) async fn group(store: &Store, number: u64, users: &[u64]) -> Conversation {
    let created = group::Change::Created {
        name: Text::new("group").unwrap(),
        members: List::new(users[1..].iter().copied().map(user).collect()).unwrap(),
    };
    crate::change_group::apply(store, &change(number, 1, users[0], created)).await.unwrap();
    Conversation::group(GroupId::new(number).unwrap())
}

/// Tries again what could not begin, as callers do: with several copies at one SQLite file, somebody may wait for long.
pub(crate) async fn until_begun<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> T {
    for _ in 0..30 {
        match retrying(&attempt).await {
            Err(Failure::Refused(error)) if error.code == Code::Unavailable => {}
            done => return done.unwrap(),
        }
    }
    panic!("never begun");
}
