//! A bus in a directory of its own, with clients that hold a credential.

use std::path::PathBuf;

use async_nats::{Client, ConnectOptions, Event};
use broker_schemas::permission::Holder;
use broker_schemas::subject;
use natter_nats::{Bus, Options, Server};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Options for a server that any number of tests can run beside each other.
pub(crate) fn any_port() -> Options {
    Options { port: 0, ..Options::default() }
}

/// A new bus. Its directory has a name that has to be quoted everywhere.
pub(crate) fn bus(options: &Options) -> (TempDir, Bus) {
    let parent = tempfile::tempdir().unwrap();
    let bus = Bus::create_or_open(&parent.path().join("it's a \"bus\""), options).unwrap();
    (parent, bus)
}

/// The server to test with.
pub(crate) async fn program() -> PathBuf {
    natter_nats::find(None).await.expect("these tests need a real nats-server")
}

/// A running bus.
pub(crate) struct Running {
    pub(crate) bus: Bus,
    pub(crate) server: Server,
    _dir: TempDir,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let (dir, bus) = bus(&any_port());
        let server = Server::start(&bus, None).await.unwrap();
        Self { bus, server, _dir: dir }
    }

    pub(crate) async fn connect(&self, holder: Holder) -> Client {
        self.connect_with_events(holder).await.0
    }

    pub(crate) async fn connect_with_events(&self, holder: Holder) -> (Client, mpsc::Receiver<Event>) {
        let seed = std::fs::read_to_string(self.bus.seed_path(holder)).unwrap();
        let (sender, events) = mpsc::channel(64);
        let options = ConnectOptions::with_nkey(seed.trim().to_owned())
            .custom_inbox_prefix(subject::inbox_prefix(holder.name()))
            .event_callback(move |event| {
                let sender = sender.clone();
                async move { sender.send(event).await.unwrap_or_default() }
            });
        let client = options.connect(self.server.client_url()).await.unwrap();
        (client, events)
    }
}
