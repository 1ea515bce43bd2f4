//! Those who ask and tell on the control socket, each beside the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::control::{self, Reply, Request};
use super::slot::Order;
use super::{DID_MAX, Up, canary};

/// How many may ask and tell at once.
const GUESTS_MAX: usize = 16;

/// Serves whoever asks, each beside the others.
pub(super) async fn receive(listener: UnixListener, up: &Arc<Up>, guests: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) if guests.len() < GUESTS_MAX => {
                let up = up.clone();
                guests.spawn(async move {
                    if let Err(error) = serve(&mut stream, &up).await {
                        tracing::debug!(error = format!("{error:#}"), "whoever asked has left");
                    }
                });
            }
            Ok(_) => tracing::warn!("too many ask at once"),
            Err(error) => {
                tracing::warn!(%error, "can't be asked now");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: &mut UnixStream, up: &Up) -> anyhow::Result<()> {
    let request = control::request(stream).await?;
    let supervisor = &up.supervisor;
    if matches!(request, Request::Ps) {
        let mut copies = supervisor.look().await;
        if let Some(keeper) = &up.keeper {
            for shown in &mut copies {
                shown.role = keeper.role_of(&shown.copy).await.map(str::to_owned);
            }
        }
        let copies = Reply::Copies { topology: up.name.clone(), pid: std::process::id(), copies };
        control::reply(stream, &copies).await?;
        return control::reply(stream, &Reply::Ok).await;
    }
    let (did, mut told) = mpsc::channel(DID_MAX);
    let doing = async move {
        match request {
            Request::Ps => Ok(()),
            Request::Restart { what } => supervisor.each(&what, || Order::Restart, "replaced", &did).await,
            Request::Stop { what } => supervisor.each(&what, || Order::Stop, "stopped", &did).await,
            Request::Start { what } => supervisor.each(&what, || Order::Start, "started", &did).await,
            Request::Rotate { holder, keep } => up.rotate(&holder, Duration::from_secs(keep), &did).await,
            Request::Canary { what, percent, program } => {
                let mut installation = up.installation.lock().await;
                canary::canary(&mut installation, supervisor, &what, percent, program, &did).await
            }
            Request::Promote { now } => up.promote(now, &did).await,
            Request::Cut { host } => up.set_link(&host, "down").await,
            Request::Heal { host } => up.set_link(&host, "up").await,
            Request::Reload => up.reload(&did).await,
        }
    };
    let telling = async {
        while let Some(what) = told.recv().await {
            // Whoever asked may leave: what has begun is brought to its end.
            let _ = control::reply(stream, &Reply::Did(what)).await;
        }
    };
    let (done, ()) = tokio::join!(doing, telling);
    let last = match done {
        Ok(()) => Reply::Ok,
        Err(error) => Reply::Error(format!("{error:#}")),
    };
    control::reply(stream, &last).await
}
