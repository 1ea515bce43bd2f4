//! Renews the passports of the sessions here, well before they expire: one task and one queue for all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_schemas::{Code, ContentType, Error, Exposure, List, Method, SessionId, header, subject, user};
use natter_host::{Forward, Scope};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::attach::{self, Verified};
use crate::closing::Closing;
use crate::connection::{Connection, Session};
use crate::gateway::Gateway;
use crate::jitter::within;

/// Renewals that are under way at once.
const AT_ONCE: usize = 32;
/// Over how long renewals of all sessions are spread.
pub(crate) const SPREAD: Duration = Duration::from_secs(2);
/// After a renewal that failed for want of an answer; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long to wait when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// Which session is to be renewed when.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    queue: Mutex<Queue>,
    changed: Notify,
}

type Queue = BTreeMap<(Instant, SessionId), Arc<Connection>>;

/// When a passport that is good for so long from now is to be renewed.
pub(crate) fn due(valid_for: Duration) -> Instant {
    // Sessions that began together should not be renewed together.
    within(valid_for / 6) + valid_for / 2
}

impl Renewals {
    /// Renews the session called `id` on `connection` at `at`, and no more when it was to be before.
    pub(crate) fn schedule(&self, connection: &Arc<Connection>, id: SessionId, at: Instant) {
        let Some(before) = connection.update_session(id, |session| session.renew_at = at) else { return };
        let mut queue = self.lock();
        queue.remove(&(before.renew_at, id));
        queue.insert((at, id), connection.clone());
        drop(queue);
        self.changed.notify_one();
    }

    /// A session that ended needs no passport.
    pub(crate) fn forget(&self, session: &Session) {
        self.lock().remove(&(session.renew_at, session.id));
    }

    /// Takes the session that is due out of the queue, or says when the next one is.
    fn take(&self) -> Result<(SessionId, Arc<Connection>), Instant> {
        let mut queue = self.lock();
        let now = Instant::now();
        let Some(first) = queue.first_entry() else { return Err(now + IDLE) };
        let (at, id) = *first.key();
        if at <= now { Ok((id, first.remove())) } else { Err(at) }
    }

    async fn next(&self) -> (SessionId, Arc<Connection>) {
        loop {
            match self.take() {
                Ok(due) => return due,
                Err(later) => tokio::select! {
                    () = sleep_until(later) => {}
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews what is due until the edge stops.
pub(crate) async fn run(gateway: Arc<Gateway>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let next = async || {
        let room = room.clone().acquire_owned().await;
        (room, gateway.renewals.next().await)
    };
    loop {
        let (room, (id, connection)) = tokio::select! {
            () = gateway.stopping.cancelled() => return,
            due = next() => due,
        };
        let renewing = gateway.clone();
        gateway.work.spawn(async move {
            renewing.renew(id, &connection).await;
            drop(room);
        });
    }
}

impl Gateway {
    /// Renews all sessions soon: the user module may have ended some without this edge hearing of it, or may have
    /// forgotten that they are open.
    pub(crate) fn renew_all(&self) {
        for open in self.sessions.all() {
            self.renewals.schedule(&open.connection, open.session, within(SPREAD));
        }
    }

    async fn renew(self: &Arc<Self>, id: SessionId, connection: &Arc<Connection>) {
        let Some(session) = connection.session().filter(|session| session.id == id) else { return };
        // In passing: word of a joining may have been lost.
        if let Some(present) = self.sessions.present(session.user) {
            self.refresh_groups(&present);
        }
        match self.ask_for_renewal(&session).await {
            Ok(verified) => {
                connection.update_session(id, |session| {
                    session.passport = verified.passport;
                    session.failures = 0;
                });
                self.renewals.schedule(connection, id, due(verified.valid_for));
            }
            Err(error) if error.code == Code::Unauthenticated => {
                connection.end_session("signed_out", &error.message, Closing::SESSION_ENDED);
            }
            Err(error) => {
                tracing::debug!(%error, user = %session.user, failures = session.failures, "passport not renewed");
                connection.update_session(id, |session| session.failures += 1);
                let pause = (FIRST_PAUSE * 2_u32.pow(session.failures.min(5))).min(LONGEST_PAUSE);
                self.renewals.schedule(connection, id, within(pause / 2) + pause / 2);
            }
        }
    }

    async fn ask_for_renewal(&self, session: &Session) -> Result<Verified, Error> {
        let spec = user::Renew::SPEC;
        let request = Forward {
            subject: &subject::method(Exposure::Internal, &spec),
            scope: &Scope::background(spec.deadline),
            content_type: ContentType::Postcard,
            headers: &[(header::EDGE, self.id.as_str())],
            repeatable: spec.repeat.is_safe(),
        };
        let body = encode(session).map_err(|error| {
            tracing::error!(error = format!("{error:#}"), user = %session.user, "passport can't be sent");
            Error::internal()
        })?;
        let reply = self.bus.forward(request, body.into()).await?;
        let attachment = reply.header(header::ATTACH).ok_or_else(|| {
            tracing::error!("a renewal without a new passport");
            Error::internal()
        })?;
        let verified = attach::read(&self.verifier, attachment)?;
        if (verified.identity.user, verified.identity.session) != (session.user, session.id) {
            tracing::error!(user = %session.user, "a renewal for somebody else");
            return Err(Error::internal());
        }
        Ok(verified)
    }
}

fn encode(session: &Session) -> anyhow::Result<Vec<u8>> {
    let passport = URL_SAFE_NO_PAD.decode(&*session.passport).context("base64")?;
    let passport = List::new(passport).map_err(anyhow::Error::msg).context("length")?;
    Ok(ContentType::Postcard.encode(&user::Renew { passport })?)
}
