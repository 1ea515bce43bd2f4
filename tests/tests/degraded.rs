//! With a part down, or slow, the rest goes on, and callers learn what happened. `docs/FAULTS.md` shows the table, and is tested
//! to show this one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use broker_schemas::admin::{self, CampaignState, Segment};
use broker_schemas::announcement::ListUnseen;
use broker_schemas::group::{Admission, Change, JoinedEvent, ListGroups, Rename};
use broker_schemas::message::{Entry, GetUnread, NewEvent, Recipient};
use broker_schemas::{Code, Conversation, Fetched, GroupId, Outcome, Role, Timestamp, friend, user};
use natter_client::{Chat, ChatOptions, Client, Options, Update};
use natter_tests::device::{Connection, Device, Refusal};
use natter_tests::proxy::{Proxy, Wires};
use natter_tests::shell::grant_at_console;
use natter_tests::{Backend, Person, Platform, Shell, befriend, on_both_databases, signal};
use sqlx::Connection as _;
use tokio::time::{Instant, sleep, timeout};

/// What a client finds that tries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finds {
    /// It is done.
    Works,
    /// It is done as far as possible, and the reply says what it lacks.
    Without(&'static str),
    /// `unavailable`, `not_executed`: nothing happened, and trying again is safe.
    Unavailable,
    /// `timeout`, `unknown`: it may or may not have happened.
    Unknown,
}

use Finds::{Unavailable, Unknown, Without, Works};

impl fmt::Display for Finds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Works => f.write_str("works"),
            Without(what) => write!(f, "without {what}"),
            Unavailable => f.write_str("`unavailable`"),
            Unknown => f.write_str("`timeout`"),
        }
    }
}

/// What is tried, in the order of the table's columns.
const TRIED: [&str; 7] = [
    "sign-in",
    "list of friends",
    "list of groups",
    "change of a group",
    "message to a friend",
    "message to a group",
    "history",
];

/// What a client finds of each, on a connection that stays open, with a part in such a state; and the test of it.
struct Row {
    part: &'static str,
    state: &'static str,
    finds: [Finds; 7],
    recovers: &'static str,
    test: &'static str,
}

const DOWN: &str = "a_module_that_is_down_takes_along_what_it_does_and_nothing_else";
const SLOW: &str = "a_module_that_is_frozen_holds_up_who_asks_it_and_nobody_else";
const BUS: &str = "without_a_broker_nothing_is_done_and_nobody_is_disconnected";
const DATABASE: &str = "without_a_database_nothing_is_stored_and_nothing_is_claimed_to_be";
const LOCKED: &str = "a_database_that_somebody_else_writes_to_holds_up_what_is_written";

const ROWS: &[Row] = &[
    Row {
        part: "user",
        state: "down",
        finds: [Unavailable, Unavailable, Works, Works, Works, Works, Works],
        recovers: "at its start; meanwhile members of groups go by their numbers, and passports last for minutes",
        test: DOWN,
    },
    Row {
        part: "friend",
        state: "down",
        finds: [Without("friends"), Unavailable, Works, Works, Works, Works, Works],
        recovers: "at its start",
        test: DOWN,
    },
    Row {
        part: "group",
        state: "down",
        finds: [Without("groups"), Works, Unavailable, Unavailable, Works, Works, Works],
        recovers: "at its start",
        test: DOWN,
    },
    Row {
        part: "message",
        state: "down",
        finds: [Without("unread"), Works, Works, Unknown, Unavailable, Unavailable, Unavailable],
        recovers: "at its start; a change of a group is recorded, and told then",
        test: DOWN,
    },
    Row {
        part: "user",
        state: "slow",
        finds: [Unknown, Unknown, Works, Works, Works, Works, Works],
        recovers: "with the module; meanwhile as when it is down",
        test: SLOW,
    },
    Row {
        part: "friend",
        state: "slow",
        finds: [Without("friends"), Unknown, Works, Works, Works, Works, Works],
        recovers: "with the module; what it was asked too long ago it does not begin",
        test: SLOW,
    },
    Row {
        part: "group",
        state: "slow",
        finds: [Without("groups"), Works, Unknown, Unknown, Works, Works, Works],
        recovers: "with the module; what it was asked too long ago it does not begin",
        test: SLOW,
    },
    Row {
        part: "message",
        state: "slow",
        finds: [Without("unread"), Works, Works, Unknown, Unknown, Unknown, Unknown],
        recovers: "with the module; a change of a group is recorded, and told then",
        test: SLOW,
    },
    Row {
        part: "admin",
        state: "down",
        finds: [Works; 7],
        recovers: "at its start; meanwhile nothing is administered, announcements are not listed, and campaigns stand still",
        test: DOWN,
    },
    Row {
        part: "admin",
        state: "slow",
        finds: [Works; 7],
        recovers: "with the module; meanwhile as when it is down",
        test: SLOW,
    },
    Row {
        part: "broker",
        state: "down",
        finds: [Unavailable; 7],
        recovers: "by itself; edges tell clients to ask for what they missed",
        test: BUS,
    },
    Row { part: "broker", state: "slow", finds: [Unknown; 7], recovers: "with the broker", test: BUS },
    Row { part: "database", state: "down", finds: [Unavailable; 7], recovers: "by itself", test: DATABASE },
    Row {
        part: "database",
        state: "slow",
        finds: [Unavailable; 7],
        recovers: "by itself; calls that were under way when it hung end as `timeout`",
        test: DATABASE,
    },
    Row {
        part: "database of messages",
        state: "locked",
        finds: [Works, Works, Works, Unknown, Unknown, Unknown, Works],
        recovers: "when the lock is gone; a change of a group is recorded, and told then",
        test: LOCKED,
    },
];

fn row(part: &str, state: &str) -> &'static Row {
    ROWS.iter().find(|row| row.part == part && row.state == state).unwrap()
}

/// What has no answer shall not take long to have none.
const SETTINGS: &[&str] = &["edge.call_timeout_ms=2500"];

/// Two friends on two edges, in a group; and what they tried to say.
struct Scene {
    platform: Platform,
    place: String,
    alice: Device,
    bob: Device,
    group: GroupId,
    /// By text, what became of it.
    said: BTreeMap<String, Option<bool>>,
    /// How often something was tried.
    tries: u32,
}

impl Scene {
    async fn begin(backend: Backend) -> Self {
        Self::on(Platform::distributed_with(backend, SETTINGS).await).await
    }

    async fn on(mut platform: Platform) -> Self {
        platform.start("edge2").await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let bob = Device::register(&platform.address_of("edge2", "tcp").await, "bob").await;
        alice.befriend(&bob).await;
        let group = alice.create("the group", &[&bob], Admission::Invitation).await;
        bob.event::<JoinedEvent>().await;
        Self { platform, place, alice, bob, group, said: BTreeMap::new(), tries: 0 }
    }

    fn direct(&self) -> Conversation {
        Conversation::direct(self.alice.user, self.bob.user).unwrap()
    }

    /// Waits until the bus knows that a module was killed. What it hands to a connection that is just breaking is unknown.
    async fn bus_notices_the_end_of(&self, module: &str) {
        let noticed = async {
            loop {
                let found = match module {
                    "user" => finds(self.alice.call(&user::GetProfile { user: None }).await),
                    "friend" => finds(self.alice.call(&friend::ListFriends {}).await),
                    "group" => finds(self.alice.call(&ListGroups { unread: Some(false) }).await),
                    "message" => finds(self.alice.call(&GetUnread {}).await),
                    "admin" => finds(self.alice.call(&ListUnseen {}).await),
                    other => panic!("{other} is no module"),
                };
                if found == Unavailable {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(10), noticed).await.expect("the bus notices that a module is gone");
    }

    /// Tries everything at once.
    async fn try_all(&mut self) -> [Finds; 7] {
        self.tries += 1;
        let text = |where_to: &str| format!("{where_to} {}", self.tries);
        let (direct, in_group) = (text("direct"), text("group"));
        let rename = Rename { group: self.group, name: text("name").as_str().try_into().unwrap() };
        let list = ListGroups { unread: Some(false) };
        let history = async { self.alice.whole(self.direct()).await.map(drop) };
        let (sign_in, friends, groups, change, to_friend, to_group, history) = tokio::join!(
            self.sign_in(),
            self.alice.call(&friend::ListFriends {}),
            self.alice.call(&list),
            self.alice.call(&rename),
            self.alice.send(Recipient::User(self.bob.user), &direct),
            self.alice.send(Recipient::Group(self.group), &in_group),
            history,
        );
        let found = [
            sign_in,
            finds(friends),
            finds(groups),
            finds(change),
            finds(to_friend),
            finds(to_group),
            finds(history),
        ];
        for (text, found) in [(direct, found[4]), (in_group, found[5])] {
            let stored = match found {
                Works => Some(true),
                Unavailable => Some(false),
                _ => None,
            };
            self.said.insert(text, stored);
        }
        found
    }

    async fn sign_in(&self) -> Finds {
        let session = Connection::open(&self.place).await.call(&Person::login("alice")).await;
        match session {
            Ok(user::Session { friends: Fetched::Unavailable { .. }, .. }) => Without("friends"),
            Ok(user::Session { groups: Fetched::Unavailable { .. }, .. }) => Without("groups"),
            Ok(user::Session { unread: Fetched::Unavailable { .. }, .. }) => Without("unread"),
            other => finds(other),
        }
    }

    /// Tries everything, and says where it is otherwise than the row has it.
    async fn assert_is_as_in(&mut self, row: &Row) {
        let found = self.try_all().await;
        let differences: Vec<_> = TRIED
            .iter()
            .zip(row.finds.iter().zip(&found))
            .filter(|(_, (expected, found))| expected != found)
            .map(|(tried, (expected, found))| format!("{tried}: expected {expected:?}, found {found:?}"))
            .collect();
        assert!(differences.is_empty(), "{} {}: {differences:#?}", row.part, row.state);
        // What is said to work is also delivered, on the other edge.
        for (column, where_to) in [(4, "direct"), (5, "group")] {
            if found[column] == Works {
                let text = format!("{where_to} {}", self.tries);
                assert!(self.bob_hears(&text, Duration::from_secs(10)).await, "{text:?} is not delivered");
            }
        }
    }

    /// Whether bob is told a text within some time.
    async fn bob_hears(&self, text: &str, limit: Duration) -> bool {
        let is_it = |entry: &Entry| entry.text == text;
        let told = self.bob.pushed(|pushed| pushed.read::<NewEvent>().filter(|event| is_it(&event.0)));
        timeout(limit, told).await.is_ok()
    }

    /// Waits until everything works again, and verifies that the two see the same: of what was said, what was acked once, what
    /// was refused not, and what is unknown at most once; of the changes of the group, all that were made.
    async fn assert_recovers(&mut self, case: &str) {
        let healed = Instant::now();
        loop {
            let found = self.try_all().await;
            // An edge that is not back yet delivers nothing, and tells its clients so afterwards.
            if found == [Works; 7]
                && self.bob_hears(&format!("group {}", self.tries), Duration::from_secs(1)).await
            {
                break;
            }
            assert!(healed.elapsed() < Duration::from_secs(15), "{case}: still {found:?}");
            sleep(Duration::from_millis(100)).await;
        }
        eprintln!("{case}: everything works again after {:.1?}", healed.elapsed());
        for there in [self.direct(), Conversation::group(self.group)] {
            let history = self.alice.whole(there).await.unwrap();
            assert_eq!(history, self.bob.whole(there).await.unwrap(), "{case}");
            let word = if there.group_id().is_some() { "group" } else { "direct" };
            for (text, stored) in self.said.iter().filter(|(text, _)| text.starts_with(word)) {
                let times = history.iter().filter(|entry| entry.text == *text).count();
                let fits = match stored {
                    Some(stored) => times == usize::from(*stored),
                    None => times <= 1,
                };
                assert!(fits, "{case}: {text:?}, acked {stored:?}, is there {times} times");
            }
        }
        let name = self.alice.call(&ListGroups { unread: None }).await.unwrap().groups[0].name.clone();
        assert_eq!(name, format!("name {}", self.tries));
        let history = self.alice.whole(Conversation::group(self.group)).await.unwrap();
        let last = history.iter().rev().find_map(|entry| entry.notice.clone());
        assert_eq!(last, Some(Change::Renamed { name: name.as_str().try_into().unwrap() }), "{case}");
    }
}

fn finds<T: fmt::Debug>(answer: Result<T, Refusal>) -> Finds {
    match answer {
        Ok(_) => Works,
        Err(Refusal { code: Code::Unavailable, outcome: Outcome::NotExecuted, .. }) => Unavailable,
        Err(Refusal { code: Code::Timeout, outcome: Outcome::Unknown, .. }) => Unknown,
        Err(other) => panic!("neither done nor known: {other:?}"),
    }
}

const MODULES: [&str; 5] = ["user", "friend", "group", "message", "admin"];

on_both_databases! {
    async fn a_module_that_is_down_takes_along_what_it_does_and_nothing_else(backend: Backend) {
        let mut scene = Scene::begin(backend).await;
        for module in MODULES {
            scene.platform.kill(module).await;
            scene.bus_notices_the_end_of(module).await;
            scene.assert_is_as_in(row(module, "down")).await;
            scene.platform.start(module).await;
            scene.assert_recovers(&format!("{module} down")).await;
        }
    }
}

on_both_databases! {
    async fn a_module_that_is_frozen_holds_up_who_asks_it_and_nobody_else(backend: Backend) {
        let mut scene = Scene::begin(backend).await;
        for module in MODULES {
            let pid = scene.platform.pid(module);
            signal(pid, "STOP");
            scene.assert_is_as_in(row(module, "slow")).await;
            signal(pid, "CONT");
            scene.assert_recovers(&format!("{module} slow")).await;
        }
    }
}

on_both_databases! {
    async fn without_a_broker_nothing_is_done_and_nobody_is_disconnected(backend: Backend) {
        let (platform, wire) = Platform::distributed_on_a_wire(backend, SETTINGS).await;
        let mut scene = Scene::on(platform).await;
        let pid = scene.platform.bus_pid();
        signal(pid, "STOP");
        scene.assert_is_as_in(row("broker", "slow")).await;
        signal(pid, "CONT");
        scene.assert_recovers("broker slow").await;
        wire.set(Wires::Cut);
        // Until the edge has noticed, a call is sent into nothing.
        while finds(scene.alice.call(&friend::ListFriends {}).await) != Unavailable {}
        scene.assert_is_as_in(row("broker", "down")).await;
        wire.set(Wires::Whole);
        scene.assert_recovers("broker down").await;
        for device in [&scene.alice, &scene.bob] {
            device.pushed(|pushed| (pushed.name == "session.resync").then_some(())).await;
        }
    }
}

/// The table, as `docs/FAULTS.md` shows it.
fn table() -> String {
    let mut table = format!("| what | state | {} | recovers | test |\n", TRIED.join(" | "));
    table += &format!("|---|---|{}---|---|\n", "---|".repeat(TRIED.len()));
    for Row { part, state, finds, recovers, test } in ROWS {
        let finds = finds.map(|finds| finds.to_string()).join(" | ");
        table += &format!("| {part} | {state} | {finds} | {recovers} | `{test}` |\n");
    }
    table
}

/// `NATTER_UPDATE_DOCS=1` writes it.
#[test]
fn the_page_on_faults_shows_the_table() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FAULTS.md");
    const BEGIN: &str = "<!-- the table of tests/tests/degraded.rs; NATTER_UPDATE_DOCS=1 writes it -->\n";
    const END: &str = "<!-- end -->";
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("a place for the table");
    let (shown, after) = rest.split_once(END).expect("an end of the table");
    if std::env::var_os("NATTER_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert!(shown == table(), "docs/FAULTS.md shows another table: NATTER_UPDATE_DOCS=1 writes this one");
    }
}

/// On PostgreSQL, which is a server that can be away. What SQLite can lack is room, see the row `disk-full`, or a turn: below.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_nothing_is_stored_and_nothing_is_claimed_to_be() {
    let Some(Backend::Postgres(url)) = Backend::postgres() else {
        eprintln!("skipped: NATTER_TEST_POSTGRES is not set");
        return;
    };
    let (user, rest) = url.rsplit_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(server).await;
    // What can't have a connection waits 2 s for one, and sends wait for the sends before them.
    let platform = Platform::distributed(Backend::Postgres(format!("{user}@{}/{name}", proxy.address))).await;
    let mut scene = Scene::on(platform).await;
    for (state, wires) in [("down", Wires::Cut), ("slow", Wires::Hung)] {
        proxy.set(wires);
        scene.assert_is_as_in(row("database", state)).await;
        proxy.set(Wires::Whole);
        scene.assert_recovers(&format!("database {state}")).await;
    }
}

/// Somebody works on the file with a tool of their own, and doesn't finish.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_else_writes_to_holds_up_what_is_written() {
    sqlx::any::install_default_drivers();
    let mut scene = Scene::begin(Backend::Sqlite).await;
    let directory = scene.platform.database().trim_start_matches("sqlite:").to_owned();
    let mut tool = sqlx::AnyConnection::connect(&format!("sqlite:{directory}/message.db")).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut tool).await.unwrap();
    scene.assert_is_as_in(row("database of messages", "locked")).await;
    sqlx::query("ROLLBACK").execute(&mut tool).await.unwrap();
    scene.assert_recovers("database locked").await;
}

on_both_databases! {
    async fn an_edge_that_is_gone_or_frozen_is_missed_by_its_own_clients_only(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        platform.start("edge2").await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        let mut alice = Person::register(&first, "alice").await;
        let mut bob = Person::register(&second, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let (on_frozen, _events) = Client::connect(&second).await.unwrap();
        on_frozen.call(&Person::login("bob")).await.unwrap();

        // Frozen: no answer, for those who are on it. Nothing is lost.
        let impatient = Duration::from_millis(500);
        let connection = Options { quiet: impatient, patience: impatient, ..Options::default() };
        let options = ChatOptions { connection, ..ChatOptions::default() };
        let (_tablet, mut tablet) = Chat::sign_in(&second, &Person::login("bob"), options).await.unwrap();
        assert!(matches!(tablet.next().await, Some(Update::Online(_))));
        let pid = platform.pid("edge2");
        signal(pid, "STOP");
        let asked = on_frozen.call_within(&friend::ListFriends {}, Duration::from_secs(1)).await;
        let error = asked.unwrap_err();
        assert_eq!((error.code(), error.outcome()), (Code::Timeout, Outcome::Unknown));
        while !matches!(tablet.next().await, Some(Update::Offline { .. })) {}
        let phone = Person::sign_in(&first, "bob").await;
        alice.send(bob.user, "while it was frozen").await.unwrap();
        alice.chat.call(&friend::ListFriends {}).await.unwrap();
        signal(pid, "CONT");
        assert_eq!(bob.message().await.text, "while it was frozen");
        on_frozen.call(&friend::ListFriends {}).await.unwrap();
        drop(phone);

        // Gone: the connection ends, and elsewhere the session goes on where it was.
        platform.kill("edge2").await;
        while !matches!(bob.update().await, Update::Offline { .. }) {}
        alice.send(bob.user, "while it was gone").await.unwrap();
        let mut bob = bob.leave().back(Some(&first)).await;
        assert_eq!(bob.message().await.text, "while it was gone");
        bob.send(alice.user, "here again").await.unwrap();
        while alice.message().await.text != "here again" {}
    }
}

on_both_databases! {
    async fn a_campaign_stands_still_without_its_module_and_goes_on_with_it(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        drop(Person::register(&plain, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let root = Person::sign_in(&door, "root").await;
        let mut people = Vec::new();
        for n in 0..12 {
            people.push(Person::register(&plain, &format!("person{n}")).await);
        }
        let create = |title: &str, per_second, starts_at| admin::CreateCampaign {
            title: title.try_into().unwrap(),
            text: title.try_into().unwrap(),
            segment: Segment::All {},
            starts_at,
            ends_at: None,
            hours: None,
            per_second: Some(per_second),
        };
        let soon = Timestamp::now().after(Duration::from_secs(10));
        // One that was paused by an operator, and one that is under way.
        let paused = root.chat.call(&create("paused", 100, Some(soon))).await.unwrap().campaign;
        let running = root.chat.call(&create("running", 2, None)).await.unwrap().campaign;
        root.chat.call(&admin::StartCampaign { campaign: running }).await.unwrap();
        assert_eq!(people[0].message().await.text, "running");
        root.chat.call(&admin::StartCampaign { campaign: paused }).await.unwrap();
        root.chat.call(&admin::PauseCampaign { campaign: paused }).await.unwrap();
        let shell = Shell::of(&platform, &door, "root");
        let watching = shell.start(&["campaign", "watch", &running.to_string()]);
        platform.stop("admin").await;
        let refused = root.chat.call(&admin::ResumeCampaign { campaign: paused }).await.unwrap_err();
        assert_eq!((refused.code(), refused.outcome()), (Code::Unavailable, Outcome::NotExecuted));

        // Longer than an edge tries again by itself.
        sleep(Duration::from_secs(2)).await;
        platform.start("admin").await;
        let state = async |campaign| root.chat.call(&admin::GetCampaign { campaign }).await.unwrap().state;
        assert_eq!(state(paused).await, CampaignState::Paused);
        root.chat.call(&admin::ResumeCampaign { campaign: paused }).await.unwrap();
        let begun = Instant::now();
        for campaign in [paused, running] {
            while state(campaign).await != CampaignState::Done {
                assert!(begun.elapsed() < Duration::from_secs(60), "it does not go on");
                sleep(Duration::from_millis(100)).await;
            }
        }
        // Who watched it did so to the end.
        let watched = timeout(Duration::from_secs(10), watching.wait_with_output()).await.unwrap().unwrap();
        let said = String::from_utf8(watched.stdout).unwrap();
        assert!(watched.status.success() && said.contains("asking again"), "{said}");
        assert!(said.lines().last().unwrap().starts_with(&format!("campaign {running} done: sent 13 of 13")), "{said}");
        // Each once, of both.
        for (n, person) in people.iter_mut().enumerate() {
            let mut texts = Vec::new();
            while texts.len() < if n == 0 { 1 } else { 2 } {
                texts.push(person.message().await.text);
            }
            person.expect_silence(Duration::from_millis(50)).await;
            texts.sort();
            assert_eq!(texts, if n == 0 { vec!["paused"] } else { vec!["paused", "running"] });
        }
    }
}

on_both_databases! {
    async fn sign_in_goes_on_without_the_friend_module(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        alice.send(bob.user, "before").await.unwrap();

        platform.stop("friend").await;
        let started = Instant::now();
        let phone = Person::sign_in(&address, "alice").await;
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        let Fetched::Unavailable { message, .. } = &phone.session.friends else {
            panic!("{:?}", phone.session.friends);
        };
        assert!(!message.is_empty());
        assert!(matches!(phone.session.unread, Fetched::Available(_)));
        let error = phone.chat.call(&friend::ListFriends {}).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        // Friends go on talking: whether they may stands in the message module's own tables.
        phone.send(bob.user, "meanwhile").await.unwrap();
        assert_eq!(bob.message().await.text, "before");
        assert_eq!(bob.message().await.text, "meanwhile");

        platform.start("friend").await;
        let deadline = Instant::now() + Duration::from_secs(10);
        let friends = loop {
            match phone.chat.call(&friend::ListFriends {}).await {
                Ok(friends) => break friends,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        assert_eq!(friends.friends.len(), 1);
    }
}
