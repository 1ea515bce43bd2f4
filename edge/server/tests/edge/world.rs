//! A bus, the stand-ins for the user and the message module, and an edge.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::delivery::Push;
use broker_schemas::permission::Holder;
use broker_schemas::subject::{self, Audience};
use broker_schemas::{ContentType, Delivery, GroupId, UserId};
use natter_edge::{Edge, Settings};
use natter_host::testing::free_port;
use natter_host::{Arguments, Bus, Part, Process, Running, Serving};
use natter_nats::{Options, PassportKey, Server};
use serde::Serialize;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::demo::{Demo, User};
use crate::memberships::{Memberships, Message};

pub(crate) struct World {
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) demo: Arc<Demo>,
    pub(crate) memberships: Arc<Memberships>,
    /// Those of the stand-ins.
    user: Bus,
    message: Bus,
    answering: Option<Serving<Memberships>>,
    pub(crate) process: Process,
    edge: Running,
    directory: TempDir,
    _serving: Serving<Demo>,
    _server: Server,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adapt: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { port: free_port(), monitoring_port: Some(0), ..Options::default() };
        let files = natter_nats::Bus::create_or_open(&directory.path().join("bus"), &options).unwrap();
        let server = Server::start(&files, None).await.unwrap();
        let set = vec![
            format!("bus.url={}", server.client_url()),
            format!("bus.directory={}", files.dir().display()),
            "telemetry.filter=off".to_owned(),
        ];
        let loaded = natter_host::Settings::load(&Arguments { set, ..Arguments::default() }).unwrap();
        let process = Process::start(loaded, "0.0.0").await.unwrap();

        let demo = Demo::new(PassportKey::load(&files.passport_key_path()).unwrap());
        let user = process.bus(Holder::Service("user")).await.unwrap();
        let serving = process.serve::<User, _>(user.clone(), demo.clone()).await.unwrap();
        let message = process.bus(Holder::Service("message")).await.unwrap();

        let addresses = directory.path().join("addresses.json");
        let mut settings = Settings {
            tcp: "127.0.0.1:0".into(),
            http: "127.0.0.1:0".into(),
            address_file: Some(addresses.clone()),
            ..Settings::default()
        };
        adapt(&mut settings);
        let edge = Edge::start(&process, settings).await.unwrap();
        let addresses: serde_json::Value =
            serde_json::from_slice(&std::fs::read(addresses).unwrap()).unwrap();
        let address = |name: &str| addresses[name].as_str().unwrap().parse().unwrap();
        let mut world = Self {
            tcp: address("tcp"),
            http: address("http"),
            demo,
            memberships: Arc::default(),
            user,
            message,
            answering: None,
            process,
            edge,
            directory,
            _serving: serving,
            _server: server,
        };
        world.start_answering().await;
        world
    }

    /// The message module is there.
    pub(crate) async fn start_answering(&mut self) {
        let bus = self.process.bus(Holder::Service("message")).await.unwrap();
        let serving = self.process.serve::<Message, _>(bus, self.memberships.clone()).await.unwrap();
        self.answering = Some(serving);
    }

    /// The message module is away: nobody serves its methods. What it said before still travels.
    pub(crate) async fn stop_answering(&mut self) {
        self.answering.take().unwrap().drain().await;
    }

    /// Pushes an event to a user.
    pub(crate) async fn push<T: Serialize>(&self, user: u64, name: &str, body: &T) {
        self.deliver(user, &Delivery::Event(push(name, body))).await;
    }

    pub(crate) async fn deliver(&self, user: u64, delivery: &Delivery) {
        let audience = Audience::User(UserId::new(user).unwrap());
        // After a break the edge's connection may be back before this one.
        eventually("the user module is on the bus", || self.user.is_connected()).await;
        self.user.deliver(audience, delivery).await.unwrap();
    }

    /// Delivers what the bus does not take.
    pub(crate) async fn fail_to_deliver(&self, user: u64) {
        let audience = Audience::User(UserId::new(user).unwrap());
        let push = Push { name: "news".into(), json: vec![b' '; 2_000_000], postcard: Vec::new() };
        self.user.deliver(audience, &Delivery::Event(push)).await.unwrap_err();
    }

    /// Tells a user of having joined a group.
    pub(crate) async fn tell_joined<T: Serialize>(&self, user: u64, group: u64, body: &T) {
        let group = GroupId::new(group).unwrap();
        self.deliver(user, &Delivery::Join { group, push: push("group.joined", body) }).await;
    }

    /// Pushes an event to the members of a group as of `version`, by which `joined` and `left` did so.
    pub(crate) async fn push_to_members<T: Serialize>(
        &self,
        group: u64,
        version: u64,
        [joined, left]: [&[u64]; 2],
        body: &T,
    ) {
        self.push_about_older(group, version, version, [joined, left], body).await;
    }

    /// The same, about something that only those may know who joined by `joined_by`.
    pub(crate) async fn push_about_older<T: Serialize>(
        &self,
        group: u64,
        version: u64,
        joined_by: u64,
        [joined, left]: [&[u64]; 2],
        body: &T,
    ) {
        let users = |users: &[u64]| users.iter().map(|user| UserId::new(*user).unwrap()).collect();
        let (joined, left, push) = (users(joined), users(left), push("news", body));
        let delivery = Delivery::ToMembers { version, joined_by, joined, left, push };
        self.message.deliver(Audience::Group(GroupId::new(group).unwrap()), &delivery).await.unwrap();
    }

    /// Pushes an event to a group as if it were a user.
    pub(crate) async fn push_without_version<T: Serialize>(&self, group: u64, body: &T) {
        let audience = Audience::Group(GroupId::new(group).unwrap());
        self.message.deliver(audience, &Delivery::Event(push("news", body))).await.unwrap();
    }

    /// How many subscriptions there are to what is delivered to groups, or to one of them.
    pub(crate) async fn subscriptions(&self, group: Option<u64>) -> usize {
        let all = subject::deliveries_to(broker_schemas::Audiences::Groups).into_inner();
        let prefix = all.trim_end_matches('*');
        let connections = self.monitor("/connz?subs=1").await;
        let connections = connections["connections"].as_array().unwrap();
        let lists = connections.iter().filter_map(|connection| connection["subscriptions_list"].as_array());
        let subjects = lists.flatten().filter_map(|subject| subject.as_str()?.strip_prefix(prefix));
        subjects.filter(|id| group.is_none_or(|group| group.to_string() == **id)).count()
    }

    /// Waits until there are so many subscriptions to what is delivered to groups.
    pub(crate) async fn until_subscriptions(&self, expected: usize) {
        let started = Instant::now();
        loop {
            let found = self.subscriptions(None).await;
            if found == expected {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{found} subscriptions, not {expected}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A page of the server's monitoring.
    async fn monitor(&self, page: &str) -> serde_json::Value {
        let directory = std::fs::read_dir(self.directory.path().join("bus")).unwrap();
        let is_it = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ports");
        let file = directory.map(|entry| entry.unwrap().path()).find(is_it).unwrap();
        let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let address = ports["monitoring"][0].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {page} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Kills the server of the bus, which its supervisor starts again.
    pub(crate) fn kill_bus(&self) {
        let pid = std::fs::read_to_string(self.directory.path().join("bus/nats-server.pid")).unwrap();
        let killed = std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
        assert!(killed.success());
    }

    pub(crate) async fn stop_edge(self) -> Arc<Demo> {
        self.edge.stop().await;
        self.demo
    }
}

fn push<T: Serialize>(name: &str, body: &T) -> Push {
    Push {
        name: name.to_owned(),
        json: ContentType::Json.encode(body).unwrap(),
        postcard: ContentType::Postcard.encode(body).unwrap(),
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
