//! Tells the user module, every few seconds, that this edge lives and which sessions closed on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::user::{REPORT_MAX, ReportSessions};
use broker_schemas::{Error, List, SessionId, UserId};
use natter_host::Scope;
use tokio::time::{Instant, sleep, timeout};

use crate::gateway::Gateway;

/// How often sessions that closed are reported.
const EVERY: Duration = Duration::from_secs(1);
/// How often the edge says that it lives when none closed.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3);
/// Closed sessions that are remembered while nobody takes the report.
const REMEMBERED: usize = 100_000;
const LAST_REPORT: Duration = Duration::from_secs(1);

/// The sessions that closed and are not reported yet. Ids grow, so the first ones are the oldest.
#[derive(Debug, Default)]
pub(crate) struct Report {
    closed: Mutex<BTreeMap<SessionId, UserId>>,
}

impl Report {
    /// A session closed.
    pub(crate) fn closed(&self, user: UserId, session: SessionId) {
        let mut closed = self.lock();
        closed.insert(session, user);
        if closed.len() > REMEMBERED {
            closed.pop_first();
            drop(closed);
            tracing::warn!(
                REMEMBERED,
                "nobody takes reports; a closed session stays open for the user module"
            );
        }
    }

    /// A session that may have closed a moment ago is open again.
    pub(crate) fn opened(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes as many as one report may name.
    fn take(&self) -> Vec<(SessionId, UserId)> {
        let mut closed = self.lock();
        std::iter::from_fn(|| closed.pop_first()).take(REPORT_MAX).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, UserId>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports until the edge stops.
pub(crate) async fn run(gateway: Arc<Gateway>) {
    let report_on_time = async {
        loop {
            gateway.report_all().await;
            let reported = Instant::now();
            while reported.elapsed() < AT_LEAST_EVERY {
                sleep(EVERY).await;
                if !gateway.report.is_empty() {
                    break;
                }
            }
        }
    };
    tokio::select! {
        () = gateway.stopping.cancelled() => {}
        () = report_on_time => {}
    }
}

/// Reports the sessions that closed when the edge stopped, if somebody takes the report at once.
pub(crate) async fn last(gateway: &Gateway) {
    if timeout(LAST_REPORT, gateway.report_all()).await.is_err() {
        tracing::debug!("the last report was not taken");
    }
}

impl Gateway {
    /// Reports at least once, and until nothing is left to report or nobody takes it.
    async fn report_all(&self) {
        loop {
            let closed = self.report.take();
            let reported = self.report_some(&closed).await;
            for (session, user) in closed {
                match (self.sessions.find(user, session), &reported) {
                    // It was opened again while it was being reported as closed: a renewal sets that right.
                    (Some(connection), Ok(())) => {
                        self.renewals.schedule(&connection, session, Instant::now())
                    }
                    (None, Err(_)) => self.report.closed(user, session),
                    (Some(_), Err(_)) | (None, Ok(())) => {}
                }
            }
            if let Err(error) = reported {
                tracing::debug!(%error, "sessions not reported");
                return;
            }
            if self.report.is_empty() {
                return;
            }
        }
    }

    async fn report_some(&self, closed: &[(SessionId, UserId)]) -> Result<(), Error> {
        let open = self.sessions.all().len();
        let request = ReportSessions {
            edge: self.id.clone(),
            closed: List::new(closed.iter().map(|(session, _)| *session).collect::<Vec<_>>())
                .map_err(Error::invalid)?,
            open: u32::try_from(open).unwrap_or(u32::MAX),
        };
        let scope = Scope::background(AT_LEAST_EVERY);
        // Asked of every edge that is new, too.
        if self.bus.call(&scope, &request).await?.renew_all && open > 0 {
            tracing::info!(open, "the user module had given this edge up; all sessions are renewed");
            self.renew_all();
        }
        Ok(())
    }
}
