//! One request's way through a copy: is there room, may the caller, does it decode, the handler, the reply.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{HeaderMap, HeaderName, HeaderValue, Message};
use broker_schemas::visible::is_deceptive;
use broker_schemas::{Access, Code, ContentType, EdgeId, Error, Exposure, Identity, MethodSpec, header};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::refused::{Unanswered, bounded};
use super::{Endpoint, Inbound, Outbound, Run, Server, clock};
use crate::bus::header;
use crate::{Failure, Scope, Trace};

/// The largest request from a client, in bytes: what an edge accepts as one frame.
const MAX_CLIENT_REQUEST: usize = 64 * 1024;

impl Server {
    /// Starts the handling of one request, or refuses it.
    pub(super) fn take(self: &Arc<Self>, index: usize, endpoint: &Endpoint, message: Message) {
        let arrived = Instant::now();
        let Some(reply_to) = message.reply.clone() else { return };
        let server = self.clone();
        let room = if endpoint.spec.access == Access::Part { &self.room_of_parts } else { &self.room };
        let Ok(room) = room.clone().try_acquire_owned() else {
            metrics::counter!("natter_shed_total", "service" => self.service.name).increment(1);
            let full =
                Error::unavailable(format!("{} has more to do than it can; try again", self.service.name));
            self.observe(&endpoint.spec, endpoint.exposure, None, &message, &full);
            self.tasks.spawn(async move { server.reply(&reply_to, Err(full)).await });
            return;
        };
        let spec = endpoint.spec;
        let trace = Trace::from_header(message.headers.as_ref().and_then(|h| header(h, header::TRACEPARENT)));
        let span =
            tracing::info_span!("call", service = spec.service, method = spec.called, trace = %trace.id());
        let (run, exposure) = (endpoint.run.clone(), endpoint.exposure);
        let handle = async move {
            let observed = server.observer.is_some().then(|| message.clone());
            let mut identity = None;
            let handled = server.handle(&spec, exposure, &run, trace, message, arrived, &mut identity).await;
            if let (Some(message), Err(Unanswered::NotHandled(error))) = (observed, &handled) {
                server.observe(&spec, exposure, identity, &message, error);
            }
            let result = handled.map_err(|unanswered| match unanswered {
                Unanswered::NotHandled(error) | Unanswered::Handled(Failure::Refused(error)) => {
                    bounded(error)
                }
                Unanswered::Handled(Failure::Broken(cause)) => {
                    tracing::error!(error = format!("{cause:#}"), "call failed");
                    Error::internal()
                }
            });
            let waited = result.as_ref().map_or(Duration::ZERO, |outbound| outbound.waited);
            let took = arrived.elapsed().saturating_sub(waited);
            server.copy.stats(index).record(took, result.as_ref().err());
            record(&spec, took, &result);
            server.reply(&reply_to, result).await;
            drop(room);
        };
        self.tasks.spawn(handle.instrument(span));
    }

    /// Says in `proved` who calls, once that is proved: also when the request is then refused.
    #[allow(clippy::too_many_arguments, reason = "what one request has, in one place")]
    async fn handle(
        &self,
        spec: &MethodSpec,
        exposure: Exposure,
        run: &Run,
        trace: Trace,
        message: Message,
        arrived: Instant,
        proved: &mut Option<Identity>,
    ) -> std::result::Result<Outbound, Unanswered> {
        let inbound = self.admit(spec, exposure, trace, message, arrived).map_err(Unanswered::NotHandled)?;
        proved.clone_from(&inbound.identity);
        let deadline = inbound.scope.deadline;
        match timeout_at(deadline, AssertUnwindSafe(run(inbound)).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                tracing::error!(panic = panic_text(&*panic), "handler panicked");
                Err(Unanswered::Handled(Error::internal().into()))
            }
            Err(_) => {
                let late = "the service did not finish in time; it may or may not have been done";
                Err(Unanswered::Handled(Error::timeout(late).into()))
            }
        }
    }

    /// What a request says besides its body, once it is read and the passport is verified.
    fn admit(
        &self,
        spec: &MethodSpec,
        exposure: Exposure,
        trace: Trace,
        message: Message,
        arrived: Instant,
    ) -> std::result::Result<Inbound, Error> {
        let headers = message.headers.unwrap_or_default();
        if exposure != Exposure::Internal && message.payload.len() > MAX_CLIENT_REQUEST {
            let size = message.payload.len();
            return Err(Error::new(
                Code::TooLarge,
                format!("a request is at most {MAX_CLIENT_REQUEST} bytes, this one has {size}"),
            ));
        }
        let content_type = ContentType::from_header(header(&headers, header::CONTENT_TYPE))?;
        let passport = header(&headers, header::PASSPORT);
        let identity = match (spec.access, passport) {
            (access, Some(passport)) if access.needs_passport() => Some(self.verifier.verify(passport)?),
            _ => None,
        };
        let left = match header(&headers, header::TIMEOUT).map(str::parse) {
            Some(Ok(millis)) => spec.deadline.min(Duration::from_millis(millis)),
            Some(Err(_)) => return Err(Error::invalid("Natter-Timeout: expected whole milliseconds")),
            None => spec.deadline,
        };
        let sent = header(&headers, header::SENT).and_then(|sent| sent.parse().ok());
        let waited = match (&message.reply, sent) {
            (Some(reply_to), Some(sent)) => self.ages.age(reply_to, sent, clock()),
            _ => Duration::ZERO,
        };
        let deadline = arrived + left.saturating_sub(waited);
        if Instant::now() >= deadline {
            return Err(Error::unavailable("the deadline had passed before the work began"));
        }
        Ok(Inbound {
            content_type,
            identity,
            scope: Scope { deadline, passport: passport.map(Into::into), trace },
            edge: header(&headers, header::EDGE).and_then(|edge| EdgeId::new(edge).ok()),
            client_address: header(&headers, header::CLIENT_ADDRESS).map(str::to_owned),
            body: message.payload,
        })
    }

    async fn reply(&self, to: &str, result: std::result::Result<Outbound, Error>) {
        let (headers, body) = match result {
            Ok(Outbound { body, headers, .. }) => (
                headers
                    .into_iter()
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)))
                    .collect(),
                body,
            ),
            Err(error) => (error_headers(&error), Bytes::new()),
        };
        if let Err(error) = self.bus.reply(to, headers, body).await {
            tracing::warn!(%error, "reply not sent");
            if error.code == Code::TooLarge {
                let _ = self.bus.reply(to, error_headers(&Error::internal()), Bytes::new()).await;
            }
        }
    }
}

fn error_headers(error: &Error) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ERROR_CODE, error.code.number().to_string());
    // A header is one line; the words may quote what a client sent, and a terminal may show them.
    let words: String = error.message.chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect();
    headers.insert(header::ERROR, words);
    if let Some(wait) = error.retry_after_ms {
        headers.insert(header::RETRY_AFTER, wait.to_string());
    }
    headers
}

fn record(spec: &MethodSpec, took: Duration, result: &std::result::Result<Outbound, Error>) {
    let code = result.as_ref().map_or_else(|error| error.code.name(), |_| "ok");
    let labels = [("service", spec.service), ("method", spec.called), ("code", code)];
    metrics::counter!("natter_requests_total", &labels).increment(1);
    metrics::histogram!("natter_request_seconds", "service" => spec.service, "method" => spec.called)
        .record(took);
    match result {
        Ok(_) => tracing::debug!(elapsed = ?took, "answered"),
        Err(error) => tracing::debug!(code = %error.code, message = error.message, "refused"),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("?")
}
