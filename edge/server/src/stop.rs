//! Stops the edge without leaving a call unanswered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::closing::Closing;
use crate::gateway::Gateway;
use crate::report;

/// How long calls that are open may take to be answered.
const ANSWER: Duration = Duration::from_secs(5);
/// How long clients may take to read the last words.
const READ: Duration = Duration::from_secs(6);
/// How long the edge's own tasks may take to end.
const SETTLE: Duration = Duration::from_secs(1);

/// Lets nobody in, answers the calls that are open, says goodbye, and leaves the bus.
pub(crate) async fn stop(gateway: Arc<Gateway>) {
    gateway.stopping.cancel();
    for connection in gateway.open() {
        connection.drain();
    }
    gateway.connections.close();
    if timeout(ANSWER, gateway.connections.wait()).await.is_err() {
        for connection in gateway.open() {
            connection.outbox.close(Closing::SERVER_STOPPING);
        }
        if timeout(READ, gateway.connections.wait()).await.is_err() {
            tracing::warn!(left = gateway.connections.len(), "connections did not close in time");
        }
    }
    report::last(&gateway).await;
    gateway.bus.close().await;
    gateway.work.close();
    if timeout(SETTLE, gateway.work.wait()).await.is_err() {
        tracing::debug!(left = gateway.work.len(), "calls of clients that left are still open");
    }
    tracing::info!(edge = %gateway.id, "stopped");
}
