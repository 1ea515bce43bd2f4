//! A bus, the stand-in for the user module, and an edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::permission::Holder;
use broker_schemas::subject::Audience;
use broker_schemas::{ContentType, Delivery, UserId};
use natter_edge::{Edge, Settings};
use natter_host::{Arguments, Bus, Part, Process, Running, Serving};
use natter_nats::{Options, PassportKey, Server};
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::demo::{Demo, User};

pub(crate) struct World {
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) demo: Arc<Demo>,
    /// That of the stand-in.
    pub(crate) bus: Bus,
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
        let options = Options { port: 0, ..Options::default() };
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
        let bus = process.bus(Holder::Service("user")).await.unwrap();
        let serving = process.serve::<User, _>(bus.clone(), demo.clone()).await.unwrap();

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
        Self {
            tcp: address("tcp"),
            http: address("http"),
            demo,
            bus,
            edge,
            directory,
            _serving: serving,
            _server: server,
        }
    }

    /// Pushes an event to a user.
    pub(crate) async fn push<T: Serialize>(&self, user: u64, name: &str, body: &T) {
        let delivery = Delivery::Event {
            name: name.to_owned(),
            json: ContentType::Json.encode(body).unwrap(),
            postcard: ContentType::Postcard.encode(body).unwrap(),
        };
        self.deliver(user, &delivery).await;
    }

    pub(crate) async fn deliver(&self, user: u64, delivery: &Delivery) {
        self.bus.deliver(Audience::User(UserId::new(user).unwrap()), delivery).await.unwrap();
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

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
