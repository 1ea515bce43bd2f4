//! A wire between a part and what it needs, which can be cut or hung.

use std::net::SocketAddr;

use natter_host::testing::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of what is sent over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wires {
    /// It arrives.
    Whole,
    /// Connections are closed, and new ones refused.
    Cut,
    /// It waits until the wire is whole again.
    Hung,
}

/// Passes connections on to an address. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where to connect.
    pub address: SocketAddr,
    wires: watch::Sender<Wires>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Passes on to `target`, `host:port`.
    pub async fn to(target: &str) -> Self {
        // It is listened on again after a cut.
        let listener = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wires, state) = watch::channel(Wires::Whole);
        let mut task = JoinSet::new();
        task.spawn(listen(listener, target.to_owned(), state));
        Self { address, wires, _task: task }
    }

    /// From now on the wire is like this.
    pub fn set(&self, wires: Wires) {
        self.wires.send_replace(wires);
    }
}

async fn listen(first: TcpListener, target: String, mut wires: watch::Receiver<Wires>) {
    let address = first.local_addr().unwrap();
    let (mut listener, mut connections) = (Some(first), JoinSet::new());
    loop {
        let is_cut = *wires.borrow_and_update() == Wires::Cut;
        listener = match listener {
            // Whoever connects is refused.
            _ if is_cut => None,
            None => Some(TcpListener::bind(address).await.unwrap()),
            open => open,
        };
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await.unwrap().0,
                None => std::future::pending().await,
            }
        };
        let near = tokio::select! {
            near = accept => near,
            changed = wires.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        while connections.try_join_next().is_some() {}
        let (target, wires) = (target.clone(), wires.clone());
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(&target).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            // The first direction that ends ends the other one.
            tokio::select! {
                () = pass(near_in, far_out, wires.clone()) => {}
                () = pass(far_in, near_out, wires) => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wires: watch::Receiver<Wires>) {
    let (mut cut, mut free) = (wires.clone(), wires);
    let passing = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            drop(free.wait_for(|wires| *wires != Wires::Hung).await);
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|wires| *wires == Wires::Cut) => {}
        () = passing => {}
    }
}
