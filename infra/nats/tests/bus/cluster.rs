//! Several servers on one bus, and everything between them and their clients encrypted.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use broker_schemas::UserId;
use broker_schemas::permission::Holder;
use broker_schemas::subject::{self, Audience};
use futures_util::StreamExt;
use natter_host::testing::free_port;
use natter_nats::{Bus, Member};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::program;

const PATIENCE: Duration = Duration::from_secs(20);

struct Cluster {
    bus: Bus,
    members: Vec<Member>,
    servers: Vec<Child>,
    _dir: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bus = Bus::open_secrets(&dir.path().join("it's a \"bus\"")).unwrap();
        let ports: [u16; 9] = std::array::from_fn(|_| free_port());
        let route = |number: usize| format!("127.0.0.1:{}", ports[number * 3 + 2]);
        let members: Vec<Member> = (0..3)
            .map(|number| Member {
                name: format!("n{number}"),
                address: "127.0.0.1".into(),
                port: ports[number * 3],
                monitoring_port: ports[number * 3 + 1],
                route_port: ports[number * 3 + 2],
                routes: (0..3).filter(|other| *other != number).map(route).collect(),
                seen_at: None,
                encrypted_as: Some(vec!["127.0.0.1".into(), "localhost".into()]),
            })
            .collect();
        let mut servers = Vec::new();
        for member in &members {
            let configuration = bus.configure(member).unwrap();
            let mut server = Command::new(program().await);
            server.arg("-c").arg(configuration).stdin(Stdio::null()).kill_on_drop(true);
            servers.push(server.spawn().unwrap());
        }
        Self { bus, members, servers, _dir: dir }
    }

    fn url(&self, number: usize) -> String {
        format!("tls://127.0.0.1:{}", self.members[number].port)
    }

    fn options(&self, holder: Holder, authority: PathBuf) -> ConnectOptions {
        let seed = std::fs::read_to_string(self.bus.seed_path(holder)).unwrap();
        ConnectOptions::with_nkey(seed.trim().to_owned())
            .custom_inbox_prefix(subject::inbox_prefix(holder.name()))
            .add_root_certificates(authority)
            .require_tls(true)
    }

    async fn connect(&self, holder: Holder, number: usize) -> Client {
        let options = self.options(holder, self.bus.authority_path());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match options.clone().connect(self.url(number)).await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Publishes at one server until it arrives at another: routes take a moment.
async fn arrives(from: &Client, to: &Client) {
    let subject = subject::deliver(Audience::User(UserId::new(7).unwrap()));
    let mut heard = to.subscribe(subject.as_str().to_owned()).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        from.publish(subject.as_str().to_owned(), "hello".into()).await.unwrap();
        from.flush().await.unwrap();
        if timeout(Duration::from_millis(200), heard.next()).await.is_ok() {
            return;
        }
        assert!(Instant::now() < deadline, "nothing arrives");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_at_one_server_is_heard_at_another_also_after_one_died() {
    let mut cluster = Cluster::start().await;
    let speaker = cluster.connect(Holder::Service("message"), 0).await;
    let first = cluster.connect(Holder::Edge, 1).await;
    arrives(&speaker, &first).await;
    cluster.servers[1].kill().await.unwrap();
    let second = cluster.connect(Holder::Edge, 2).await;
    arrives(&speaker, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_authority_or_none_is_not_served() {
    let cluster = Cluster::start().await;
    cluster.connect(Holder::Edge, 0).await;

    let other = Cluster::start().await;
    let stranger = cluster.options(Holder::Edge, other.bus.authority_path());
    let error = stranger.connect(cluster.url(0)).await.unwrap_err();
    assert!(format!("{error:?}").contains("InvalidCertificate"), "a server of another authority: {error:?}");

    let seed = std::fs::read_to_string(cluster.bus.seed_path(Holder::Edge)).unwrap();
    let unencrypted = ConnectOptions::with_nkey(seed.trim().to_owned());
    let url = cluster.url(0).replace("tls:", "nats:");
    assert!(unencrypted.connect(url).await.is_err(), "without the authority's certificate");
}

/// Whoever reached the route port without a certificate would be one of the servers, and hear everything.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_with_a_certificate_joins() {
    let cluster = Cluster::start().await;
    let speaker = cluster.connect(Holder::Service("message"), 0).await;
    arrives(&speaker, &cluster.connect(Holder::Edge, 1).await).await;

    let ours = cluster.bus.dir().join("n0");
    let quoted = |path: PathBuf| path.display().to_string().replace('"', "\\\"");
    let (certificate, key) = (quoted(ours.join("server.crt")), quoted(ours.join("server.key")));
    let authority = quoted(cluster.bus.authority_path());
    let with_a_certificate = format!(
        "tls: {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{authority}\", verify: true }}"
    );
    assert!(hears(&cluster, &speaker, &with_a_certificate, PATIENCE).await, "and this test can tell");
    assert!(!hears(&cluster, &speaker, "", Duration::from_secs(4)).await);
}

/// Whether another server, which lets anybody in, hears what `speaker` says.
async fn hears(cluster: &Cluster, speaker: &Client, tls: &str, patience: Duration) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (port, route) = (free_port(), free_port());
    let target = cluster.members[0].route_port;
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\naccounts: {{ NATTER: {{ users: [ {{ user: u, password: p }} ] }} }}\n\
         cluster: {{\n name: natter\n listen: \"127.0.0.1:{route}\"\n \
         routes: [ \"nats-route://127.0.0.1:{target}\" ]\n{tls}\n}}\n"
    );
    let configuration = dir.path().join("intruder.conf");
    std::fs::write(&configuration, text).unwrap();
    let mut server = Command::new(program().await);
    server.arg("-c").arg(&configuration).stdin(Stdio::null()).kill_on_drop(true);
    let _intruder = server.spawn().unwrap();
    let heard = async {
        loop {
            let options = ConnectOptions::with_user_and_password("u".into(), "p".into());
            if let Ok(client) = options.connect(format!("nats://127.0.0.1:{port}")).await {
                let mut heard = client.subscribe(">").await.unwrap();
                return heard.next().await;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let speaking = async {
        loop {
            let subject = subject::deliver(Audience::User(UserId::new(7).unwrap()));
            speaker.publish(subject.as_str().to_owned(), "hello".into()).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
    };
    let heard = async {
        tokio::select! { heard = heard => heard.is_some(), () = speaking => false }
    };
    timeout(patience, heard).await.unwrap_or(false)
}
