//! A group of many, all of them online, and what one message to it costs: rows written, messages on the bus, deliveries, time.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_schemas::group::{Admission, Create, JoinedEvent};
use broker_schemas::message::Recipient;
use broker_schemas::permission::Holder;
use broker_schemas::{Conversation, GroupId, List, UserId, friend, subject, user};
use futures_util::{StreamExt, TryStreamExt, stream};
use natter_client::{Address, Client, Event, Events};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::device::draft;
use crate::{Person, Platform};

/// How many people are made at once.
const AT_ONCE: usize = 32;
/// How long the last one may wait for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings that one user with so many friends needs.
pub const SETTINGS: &[&str] = &["friend.max_friends=1024", "friend.max_pending=1024"];

/// A group, and a connection of each of its members.
#[derive(Debug)]
pub struct Crowd {
    owner: Client,
    group: GroupId,
    size: usize,
    /// What the members hear, and when.
    heard: mpsc::Receiver<(u64, Instant)>,
    /// What is published to edges, as an operator sees it.
    published: async_nats::Subscriber,
    _ears: JoinSet<()>,
    _members: Vec<Client>,
}

/// What became of one message.
#[derive(Debug)]
pub struct Reach {
    /// By table of the message module, how many rows there are more.
    pub rows: BTreeMap<String, i64>,
    /// How many messages to edges were on the bus, by subject.
    pub publishes: BTreeMap<String, usize>,
    /// How many connections were told.
    pub deliveries: usize,
    /// From the send until it was acked.
    pub acked: Duration,
    /// From the send until the last one was told.
    pub last: Duration,
}

impl Crowd {
    /// Makes so many people, on these edges in turn, and a group of all of them.
    ///
    /// # Panics
    /// When that can't be done.
    pub async fn gather(platform: &Platform, edges: &[Address], size: usize) -> Self {
        let people = (0..size).map(|number| sign_in(&edges[number % edges.len()], number));
        let mut people: Vec<(UserId, Client, Events)> =
            stream::iter(people).buffered(AT_ONCE).collect().await;
        let (owner, client, _) = &people[0];
        let befriend = people[1..].iter().map(async |(user, member, _)| {
            client.call(&friend::Request { user: *user }).await?;
            member.call(&friend::Accept { user: *owner }).await
        });
        stream::iter(befriend).buffered(AT_ONCE).try_collect::<Vec<_>>().await.unwrap();
        let create = Create {
            name: "a crowd".try_into().unwrap(),
            members: Some(List::new(people[1..].iter().map(|(user, ..)| *user).collect()).unwrap()),
            admission: Some(Admission::Invitation),
            visible: None,
        };
        let group = client.call_within(&create, Duration::from_secs(30)).await.unwrap().group;

        let (hear, heard) = mpsc::channel(size * 4);
        let (owner, mut ears, mut members) = (client.clone(), JoinSet::new(), Vec::new());
        let (joined, mut joins) = mpsc::channel(size);
        for (_, client, events) in people.drain(..) {
            ears.spawn(listen(events, group, hear.clone(), joined.clone()));
            members.push(client);
        }
        for _ in 0..size {
            timeout(PATIENCE, joins.recv()).await.expect("everybody learns of the group").unwrap();
        }
        let published = subscribe(platform).await;
        Self { owner, group, size, heard, published, _ears: ears, _members: members }
    }

    /// Sends one message, and waits until everybody was told.
    ///
    /// # Panics
    /// When somebody isn't, or twice.
    pub async fn send(&mut self, platform: &Platform) -> Reach {
        let before = rows(platform).await;
        let started = Instant::now();
        let draft = draft(Recipient::Group(self.group), "to all of you");
        let sent = self.owner.call(&draft).await.unwrap();
        let acked = started.elapsed();
        let (mut deliveries, mut last) = (0, Duration::ZERO);
        while deliveries < self.size {
            let told = timeout(PATIENCE, self.heard.recv()).await;
            let (seq, at) = told.unwrap_or_else(|_| panic!("told to {deliveries} of {}", self.size)).unwrap();
            assert_eq!(seq, sent.seq.get());
            deliveries += 1;
            last = last.max(at - started);
        }
        // Whatever more there is comes at once.
        let more = timeout(Duration::from_millis(200), self.heard.recv()).await;
        assert!(more.is_err(), "told once more: {more:?}");
        let mut publishes = BTreeMap::new();
        while let Ok(Some(message)) = timeout(Duration::from_millis(50), self.published.next()).await {
            *publishes.entry(message.subject.to_string()).or_default() += 1;
        }
        let after = rows(platform).await;
        let rows = after.into_iter().map(|(table, count)| {
            let more = count - before.get(&table).copied().unwrap_or(0);
            (table, more)
        });
        Reach { rows: rows.filter(|(_, more)| *more != 0).collect(), publishes, deliveries, acked, last }
    }

    /// The subject on which the group's messages are published.
    #[must_use]
    pub fn subject(&self) -> String {
        subject::deliver(subject::Audience::Group(self.group)).as_str().to_owned()
    }
}

async fn sign_in(address: &Address, number: usize) -> (UserId, Client, Events) {
    let login = Person::login(&format!("member{number}"));
    let account =
        user::Register { name: login.name.clone(), password: login.password.clone(), display_name: None };
    let (client, events) = Client::connect(address).await.unwrap();
    client.call(&account).await.unwrap();
    let session = client.call(&login).await.unwrap();
    (session.user, client, events)
}

/// Says when the group's messages come, and that its making was told.
async fn listen(
    mut events: Events,
    group: GroupId,
    hear: mpsc::Sender<(u64, Instant)>,
    joined: mpsc::Sender<()>,
) {
    while let Some(event) = events.next().await {
        match event {
            Event::Message(entry)
                if entry.conversation == Conversation::group(group) && entry.notice.is_none() =>
            {
                let _ = hear.send((entry.seq.get(), Instant::now())).await;
            }
            Event::GroupJoined(JoinedEvent { group: which, .. }) if which == group => {
                let _ = joined.send(()).await;
            }
            Event::Resync => panic!("pushes were lost"),
            _ => {}
        }
    }
}

/// Everything that is published to edges from now on.
async fn subscribe(platform: &Platform) -> async_nats::Subscriber {
    let client = platform.on_bus(Holder::Operator).await;
    let published = client.subscribe("natter.deliver.>").await.unwrap();
    client.flush().await.unwrap();
    published
}

/// How many rows each table of the message module has.
async fn rows(platform: &Platform) -> BTreeMap<String, i64> {
    sqlx::any::install_default_drivers();
    let (url, tables, schema) = match platform.database().strip_prefix("sqlite:") {
        // The search's own tables are its index.
        Some(directory) => (
            format!("sqlite:{directory}/message.db"),
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search\\_%' ESCAPE '\\'",
            "",
        ),
        None => (
            platform.database().to_owned(),
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'natter_message'",
            "natter_message.",
        ),
    };
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let tables = sqlx::query(AssertSqlSafe(tables)).fetch_all(&mut connection).await.unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let table: String = table.get(0);
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {schema}{table}"));
        let count = sqlx::query(count).fetch_one(&mut connection).await.unwrap().get(0);
        rows.insert(table, count);
    }
    rows
}
