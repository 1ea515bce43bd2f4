//! What all connections of this edge share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use broker_schemas::EdgeId;
use natter_host::{Bus, Verifier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Settings;
use crate::connection::Connection;
use crate::drive;
use crate::renew::Renewals;
use crate::report::Report;
use crate::sessions::Sessions;
use crate::transport::Transport;

/// The edge, as its connections and its tasks see it.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) settings: Settings,
    pub(crate) id: EdgeId,
    pub(crate) bus: Bus,
    pub(crate) verifier: Verifier,
    pub(crate) sessions: Sessions,
    pub(crate) renewals: Renewals,
    pub(crate) report: Report,
    /// Clients are no longer let in, and tasks of the edge's own end.
    pub(crate) stopping: CancellationToken,
    /// A task for each connection.
    pub(crate) connections: TaskTracker,
    /// Calls, and what the edge does on its own account.
    pub(crate) work: TaskTracker,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

impl Gateway {
    pub(crate) fn new(settings: Settings, bus: Bus, verifier: Verifier) -> anyhow::Result<Arc<Self>> {
        let id = EdgeId::new(format!("e{:016x}", getrandom::u64()?)).map_err(anyhow::Error::msg)?;
        Ok(Arc::new(Self {
            sessions: Sessions::new(settings.max_connections_per_user),
            settings,
            id,
            bus,
            verifier,
            renewals: Renewals::default(),
            report: Report::default(),
            stopping: CancellationToken::new(),
            connections: TaskTracker::new(),
            work: TaskTracker::new(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
        }))
    }

    /// Serves a client that connected.
    pub(crate) fn spawn<T: Transport>(self: &Arc<Self>, address: IpAddr, transport: T) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(address, T::IS_STREAM, self.settings.out_queue_bytes));
        self.lock_open().insert(number, connection.clone());
        // After it is on the list, so that it is either found there or sees this.
        if self.stopping.is_cancelled() {
            connection.drain();
        }
        let gateway = self.clone();
        self.connections.spawn(async move {
            drive::serve(&gateway, connection, transport).await;
            gateway.lock_open().remove(&number);
        });
    }

    /// Every connection that is open.
    pub(crate) fn open(&self) -> Vec<Arc<Connection>> {
        self.lock_open().values().cloned().collect()
    }

    fn lock_open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
