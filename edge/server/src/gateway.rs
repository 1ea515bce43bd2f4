//! What all connections of this edge share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_schemas::EdgeId;
use natter_host::{Bus, Verifier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Settings;
use crate::connection::Connection;
use crate::drive::Driver;
use crate::limits::Place;
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
    pub(crate) fn spawn<T: Transport>(self: &Arc<Self>, place: Arc<Place>, transport: T) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let limit = self.settings.out_queue_bytes;
        let connection = Arc::new(Connection::new(number, place, T::IS_STREAM, limit));
        self.lock_open().insert(number, connection.clone());
        // After it is on the list, so that it is either found there or sees this.
        if self.stopping.is_cancelled() {
            connection.drain();
        }
        let mut driver = Driver::new(self.clone(), connection, transport);
        self.connections.spawn(async move { driver.serve().await });
    }

    /// The connection serves no more: nobody is signed in on it.
    pub(crate) fn left(&self, connection: &Arc<Connection>) {
        self.lock_open().remove(&connection.number);
        self.sign_out_for_good(connection);
    }

    /// Every connection that is open.
    pub(crate) fn open(&self) -> Vec<Arc<Connection>> {
        self.lock_open().values().cloned().collect()
    }

    /// The list is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock_open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
