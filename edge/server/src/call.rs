//! Forwards one call to whoever serves the method. Bodies pass through as they are.

use std::sync::Arc;

use broker_schemas::subject::{self, Subject};
use broker_schemas::{Code, Error, header};
use bytes::Bytes;
use natter_host::{Forward, Scope, Trace};
use natter_protocol::{Encoding, Failure, MAX_SERVER_FRAME, ServerFrame};
use tokio::time::Instant;

use crate::attach;
use crate::connection::Connection;
use crate::gateway::Gateway;
use crate::meters::{self, METERS};

/// Room for what a frame says besides its body.
const ENVELOPE: usize = 64;

/// A call of a client, on its way.
struct Call {
    id: u64,
    encoding: Encoding,
    subject: Subject,
    body: Bytes,
}

/// Begins a call, or refuses it. Its answer goes to the connection.
pub(crate) fn start(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    encoding: Encoding,
    id: u64,
    method: &str,
    body: Bytes,
) {
    let to_subject =
        if gateway.settings.admin { subject::client_or_admin_call } else { subject::client_call };
    let begun = to_subject(method).and_then(|subject| connection.begin_call(id).map(|()| subject));
    match begun {
        Ok(subject) => {
            let call = Call { id, encoding, subject, body };
            gateway.work.spawn(run(gateway.clone(), connection.clone(), call));
        }
        Err(error) => {
            let error = Failure::from(&error);
            connection.send(encoding, &ServerFrame::Error { id, error });
        }
    }
}

/// Runs to its end even when the client leaves: the reply may sign somebody in, which has to be undone then.
async fn run(gateway: Arc<Gateway>, connection: Arc<Connection>, call: Call) {
    let (id, encoding) = (call.id, call.encoding);
    let started = Instant::now();
    let result = forward(&gateway, &connection, call).await;
    METERS.call_seconds.record(started.elapsed());
    meters::calls(result.as_ref().map_or_else(|error| error.code.name(), |_| "ok")).increment(1);
    let answer = match &result {
        Ok(body) => ServerFrame::Ok { id, body },
        Err(error) => ServerFrame::Error { id, error: error.into() },
    };
    connection.end_call(id, encoding, &answer);
}

async fn forward(gateway: &Arc<Gateway>, connection: &Arc<Connection>, call: Call) -> Result<Bytes, Error> {
    let scope = Scope {
        deadline: Instant::now() + gateway.settings.call_timeout(),
        passport: connection.session().map(|session| session.passport),
        trace: Trace::start(),
    };
    let address = connection.place.address.to_string();
    let request = Forward {
        subject: &call.subject,
        scope: &scope,
        content_type: call.encoding.content_type(),
        headers: &[(header::EDGE, gateway.id.as_str()), (header::CLIENT_ADDRESS, &address)],
        repeatable: false,
    };
    let reply = gateway.bus.forward(request, call.body).await?;
    attach::apply(gateway, connection, &reply).await?;
    if reply.body.len() > MAX_SERVER_FRAME - ENVELOPE {
        tracing::warn!(subject = %call.subject, bytes = reply.body.len(), "reply too large for a frame");
        return Err(Error::new(Code::Internal, "done, but the reply is larger than a frame may be"));
    }
    if call.encoding == Encoding::Json && std::str::from_utf8(&reply.body).is_err() {
        tracing::warn!(subject = %call.subject, "json reply that is not utf-8");
        return Err(Error::internal());
    }
    Ok(reply.body)
}
