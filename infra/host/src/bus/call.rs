//! Calling a service, and learning what the network did.

use std::time::Duration;

use async_nats::{HeaderMap, StatusCode};
use broker_schemas::subject::{self, Subject};
use broker_schemas::{Code, ContentType, Error, Exposure, Method, Outcome, header};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::replies::Answer;
use super::{Bus, header};
use crate::Scope;

/// For how long a call that reached nobody is tried again, within its deadline: the time in which a restarted copy of a
/// service comes back.
const TRY_AGAIN_FOR: Duration = Duration::from_millis(1_500);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A request that is passed on without knowing what it says.
#[derive(Debug, Clone, Copy)]
pub struct Forward<'a> {
    /// Where to.
    pub subject: &'a Subject,
    /// For whom and until when.
    pub scope: &'a Scope,
    /// How the body is encoded.
    pub content_type: ContentType,
    /// Further headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// Whether a call whose outcome is unknown may be made again.
    pub repeatable: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The reply's body, in the request's encoding.
    pub body: Bytes,
    headers: Option<HeaderMap>,
}

impl Reply {
    /// A header of the reply.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.headers.as_ref()?, name)
    }
}

/// Why an attempt brought no reply.
enum Failed {
    /// The request reached nobody: trying again costs nobody anything.
    NotTaken(Error),
    /// Somebody took it and refused. Also when that is `unavailable` it is not tried again: what the handler did before it
    /// found so, such as counting the call against a limit, it would do again each time.
    Refused(Error),
    /// It may or may not have been done.
    Unknown(Error),
}

impl Bus {
    /// Calls a method of another service and returns its reply.
    ///
    /// # Errors
    /// What the callee refused, or [`Code::Unavailable`] when nobody did it, or [`Code::Timeout`] when nobody knows.
    /// [`Error::outcome`] tells them apart. A call that reached nobody is tried again for 1.5 s, one whose outcome is
    /// unknown only if the method is declared repeatable, both within the deadline; one that somebody refused, never.
    pub async fn call<R: Method>(&self, scope: &Scope, request: &R) -> Result<R::Reply, Error> {
        let spec = R::SPEC;
        let started = Instant::now();
        let result = self.call_once_typed(scope, request).await;
        let code = result.as_ref().map_or_else(|error| error.code.name(), |_| "ok");
        let labels = [("service", spec.service), ("method", spec.called), ("code", code)];
        metrics::counter!("natter_calls_total", &labels).increment(1);
        metrics::histogram!("natter_call_seconds", "service" => spec.service, "method" => spec.called)
            .record(started.elapsed());
        result
    }

    async fn call_once_typed<R: Method>(&self, scope: &Scope, request: &R) -> Result<R::Reply, Error> {
        let spec = R::SPEC;
        let forward = Forward {
            subject: &subject::method(Exposure::Internal, &spec),
            scope: &scope.within(spec.deadline),
            content_type: ContentType::Postcard,
            headers: &[],
            repeatable: spec.repeat.is_safe(),
        };
        let body = ContentType::Postcard.encode(request)?;
        let reply = self.forward(forward, body.into()).await?;
        ContentType::Postcard.decode(&reply.body).map_err(|error| {
            tracing::error!(service = spec.service, method = spec.called, %error, "reply of another shape");
            Error::internal()
        })
    }

    /// Passes a request on and returns what came back.
    ///
    /// # Errors
    /// As [`Bus::call`].
    pub async fn forward(&self, request: Forward<'_>, body: Bytes) -> Result<Reply, Error> {
        self.shared.check_permission(request.subject)?;
        let stop_trying = request.scope.deadline.min(Instant::now() + TRY_AGAIN_FOR);
        let mut pause = FIRST_PAUSE;
        // That a later attempt was certainly not done says nothing of the one before.
        let mut unknown: Option<Error> = None;
        loop {
            let (error, until) = match self.attempt(&request, body.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(Failed::NotTaken(error)) => (unknown.clone().unwrap_or(error), stop_trying),
                Err(Failed::Unknown(error)) if request.repeatable => {
                    (unknown.insert(error).clone(), request.scope.deadline)
                }
                Err(Failed::Refused(error)) if error.outcome() == Outcome::NotExecuted => {
                    return Err(unknown.unwrap_or(error));
                }
                Err(Failed::Unknown(error) | Failed::Refused(error)) => return Err(error),
            };
            // Callers that failed together should not come back together.
            let jittered =
                pause.mul_f64(0.5 + f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX));
            if Instant::now() + jittered >= until {
                return Err(error);
            }
            tokio::time::sleep(jittered).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, request: &Forward<'_>, body: Bytes) -> Result<Reply, Failed> {
        let now = Instant::now();
        let left = request.scope.deadline.saturating_duration_since(now);
        if left.is_zero() {
            let late = Error::unavailable("the deadline had passed before the call was made");
            return Err(Failed::NotTaken(late));
        }
        if !self.shared.outgoing.is_up() {
            return Err(Failed::NotTaken(Error::unavailable("not connected to the bus")));
        }
        // A copy that hangs must not use up all the time of a call that another copy could answer.
        let patience =
            if request.repeatable { left.div_f64(2.0).max(Duration::from_millis(100)) } else { left };
        let mut awaited = self.shared.replies.expect();
        let headers = headers(request, patience.min(left));
        let sent = self.shared.outgoing.publish(
            request.subject.as_str(),
            Some(awaited.subject.clone()),
            headers,
            body,
        );
        sent.await.map_err(|error| match error.code {
            Code::Unavailable => Failed::NotTaken(error),
            _ => Failed::Refused(error),
        })?;
        match timeout_at(now + patience.min(left), &mut awaited.answer).await {
            Ok(Ok(Answer::Message(message))) => read(request, *message),
            Ok(Ok(Answer::Lost) | Err(_)) => Err(Failed::Unknown(Error::timeout(
                "the connection to the bus broke while waiting; it may or may not have been done",
            ))),
            Err(_) => {
                Err(Failed::Unknown(Error::timeout("no answer in time; it may or may not have been done")))
            }
        }
    }
}

fn headers(request: &Forward<'_>, left: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, request.content_type.as_str());
    headers.insert(header::TIMEOUT, left.as_millis().to_string());
    headers.insert(header::SENT, crate::serve::clock().to_string());
    headers.insert(header::TRACEPARENT, request.scope.trace.to_string());
    if let Some(passport) = &request.scope.passport {
        headers.insert(header::PASSPORT, &**passport);
    }
    for (name, value) in request.headers {
        headers.insert(*name, *value);
    }
    headers
}

fn read(request: &Forward<'_>, message: async_nats::Message) -> Result<Reply, Failed> {
    if message.status == Some(StatusCode::NO_RESPONDERS) && message.payload.is_empty() {
        let subject = request.subject.as_str();
        let name = subject
            .split_once('.')
            .and_then(|(_, rest)| rest.split_once('.'))
            .map_or(subject, |(_, name)| name);
        return Err(Failed::NotTaken(Error::unavailable(format!(
            "nobody serves {name} now: no such method, or the service is down"
        ))));
    }
    let Some(number) = message.headers.as_ref().and_then(|headers| header(headers, header::ERROR_CODE))
    else {
        return Ok(Reply { body: message.payload, headers: message.headers });
    };
    let headers = message.headers.as_ref();
    let text = |name| headers.and_then(|headers| header(headers, name));
    let error = Error {
        code: number.parse().map_or(Code::Internal, Code::from_number),
        message: text(header::ERROR).unwrap_or("no reason given").to_owned(),
        retry_after_ms: text(header::RETRY_AFTER).and_then(|wait| wait.parse().ok()),
    };
    Err(if error.code == Code::Timeout { Failed::Unknown(error) } else { Failed::Refused(error) })
}
