//! A copy of a service whose connection breaks, behind a proxy that breaks it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::*;

/// What the proxy does to the connection on which requests come in.
#[derive(Debug, Clone, Copy)]
enum Link {
    Flows,
    /// What the server says waits until it is so many requests; they are passed on, all at once, and the connection is closed.
    Breaks(usize),
}

struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
}

impl Proxy {
    async fn start(server: &str, tasks: &TaskTracker) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.trim_start_matches("nats://").to_owned();
        let link = watch::Sender::new(Link::Flows);
        let (connections, orders) = (tasks.clone(), link.clone());
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.unwrap();
                connections.spawn(pass(client, upstream, orders.clone()));
            }
        });
        Self { address, link }
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, link: watch::Sender<Link>) {
    let (mut from_client, mut from_server) = ([0; 4096], [0; 65536]);
    let (mut hello, mut held) = (Vec::new(), Vec::new());
    loop {
        let is_incoming = String::from_utf8_lossy(&hello).contains("natter friend incoming");
        tokio::select! {
            read = client.read(&mut from_client) => match read {
                Ok(length @ 1..) => {
                    if hello.len() < 4096 {
                        hello.extend_from_slice(&from_client[..length]);
                    }
                    server.write_all(&from_client[..length]).await.unwrap();
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(length @ 1..) => {
                    held.extend_from_slice(&from_server[..length]);
                    let link_now = *link.borrow();
                    match link_now {
                        Link::Breaks(after) if is_incoming => {
                            if held.windows(5).filter(|word| *word == b"HMSG ").count() >= after {
                                client.write_all(&held).await.unwrap();
                                link.send_replace(Link::Flows);
                                return;
                            }
                        }
                        _ => client.write_all(&std::mem::take(&mut held)).await.unwrap(),
                    }
                }
                _ => return,
            },
        }
    }
}

/// The library subscribes again by itself, and drops what has come for a subscription that is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_came_before_the_connection_broke_are_answered() {
    let rig = Rig::start().await;
    let tasks = TaskTracker::new();
    let proxy = Proxy::start(&rig.settings.url, &tasks).await;
    let settings = BusSettings { url: format!("nats://{}", proxy.address), ..rig.settings.clone() };
    let _serving = rig.serve_with(&settings).await;
    let caller = rig.caller().await;
    for round in 0..10 {
        caller.call(&within(5_000), &ask(ANSWER, 7)).await.unwrap();
        proxy.link.send_replace(Link::Breaks(400));
        let (scope, request) = (within(10_000), ask(ANSWER, 7));
        let results = join_all((0..400).map(|_| once(&caller, &scope, &request))).await;
        let failed = results.iter().filter_map(|result| result.as_ref().err()).collect::<Vec<_>>();
        assert!(failed.is_empty(), "round {round}: {} of 400, such as {:?}", failed.len(), failed[0]);
    }
}
