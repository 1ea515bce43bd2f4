//! Signs connections in and out, as the replies of the user module say.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_schemas::delivery::Attachment;
use broker_schemas::{ContentType, Error, Identity, header};
use natter_host::{Reply, Verifier};

use crate::closing::Closing;
use crate::connection::{Connection, Session};
use crate::gateway::Gateway;
use crate::renew;
use crate::sessions::{Displaced, OpenSession};

/// An attachment whose passport proves what it says.
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    pub(crate) passport: Arc<str>,
    pub(crate) valid_for: Duration,
}

/// Reads the attachment in a header. Any service can send one to the edge; only the user module's has a passport that
/// proves it.
///
/// # Errors
/// When the header can't be read, or nothing proves what it says. The cause is logged.
pub(crate) fn read(verifier: &Verifier, header: &str) -> Result<Verified, Error> {
    let refuse = |cause: &str| {
        tracing::error!(cause, "attachment refused");
        Error::internal()
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| refuse("not base64url"))?;
    let attachment: Attachment =
        ContentType::Postcard.decode(&bytes).map_err(|error| refuse(&error.message))?;
    let passport = Verifier::header(&attachment.passport);
    let proved = verifier.verify(&passport).map_err(|error| refuse(&error.message))?;
    if proved != attachment.identity {
        return Err(refuse("the passport is for somebody else"));
    }
    let valid_for = Duration::from_millis(attachment.valid_for_ms.into());
    Ok(Verified { identity: proved, passport, valid_for })
}

/// Does to the connection what a reply says, before the client sees the reply.
///
/// # Errors
/// When the reply signs somebody in and that can't be done.
pub(crate) async fn apply(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    reply: &Reply,
) -> Result<(), Error> {
    if let Some(header) = reply.header(header::ATTACH) {
        return gateway.sign_in(connection, read(&gateway.verifier, header)?).await;
    }
    if let Some(why) = reply.header(header::DETACH) {
        tracing::debug!(why, address = %connection.place.address, "signed out");
        gateway.sign_out(connection);
    }
    Ok(())
}

impl Gateway {
    /// Signs a user in. Returns once nothing that is published for the user and the user's groups from now on can be missed.
    async fn sign_in(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        verified: Verified,
    ) -> Result<(), Error> {
        self.sign_out(connection);
        let Identity { user, session: id, .. } = verified.identity;
        let open = OpenSession { session: id, connection: connection.clone() };
        let (present, displaced) = self.sessions.join(user, open);
        for displaced in displaced {
            self.displace(displaced);
        }
        self.report.opened(id);
        let renew_at = renew::due(verified.valid_for);
        let session = Session { user, id, passport: verified.passport, renew_at, failures: 0 };
        if let Err(error) = present.receive(self).await {
            self.end(connection, &session);
            return Err(error);
        }
        match connection.sign_in(session) {
            Ok(previous) => {
                tracing::debug!(%user, session = %id, address = %connection.place.address, "signed in");
                self.renewals.schedule(connection, id, renew_at);
                // Of two sign-ins at once on one connection, the later one counts.
                if let Some(previous) = previous {
                    self.end(connection, &previous);
                }
            }
            // The client went while the bus took the subscription.
            Err(session) => self.end(connection, &session),
        }
        Ok(())
    }

    /// Signs out whoever is signed in.
    fn sign_out(&self, connection: &Arc<Connection>) {
        if let Some(session) = connection.sign_out() {
            self.end(connection, &session);
        }
    }

    /// Signs out whoever is signed in, and nobody can sign in any more.
    pub(crate) fn sign_out_for_good(&self, connection: &Arc<Connection>) {
        if let Some(session) = connection.leave() {
            self.end(connection, &session);
        }
    }

    fn end(&self, connection: &Arc<Connection>, session: &Session) {
        self.renewals.forget(session);
        if self.sessions.leave(session.user, session.id, connection) {
            self.report.closed(session.user, session.id);
        }
    }

    fn displace(&self, displaced: Displaced) {
        match displaced {
            Displaced::SameSession(open) => open.connection.end_session(
                "resumed_elsewhere",
                "the session was resumed on another connection",
                Closing::SESSION_ENDED,
            ),
            Displaced::Oldest(user, open) => {
                self.report.closed(user, open.session);
                open.connection.end_session(
                    Closing::TOO_MANY_CONNECTIONS.code,
                    "the user signed in on too many other connections",
                    Closing::TOO_MANY_CONNECTIONS,
                );
            }
        }
    }
}
