//! Requests that didn't reach their handler, for whoever keeps a record of them.

use async_nats::Message;
use broker_schemas::{ContentType, EdgeId, Error, Exposure, Identity, MethodSpec, header};

use super::Server;
use crate::Failure;
use crate::bus::header;

/// Hears of each request that was refused before its handler saw it.
pub trait Observer: std::fmt::Debug + Send + Sync + 'static {
    /// Takes note of one. It must not wait: the request is being refused meanwhile, and in a flood there are many.
    fn refused(&self, refused: Refused);
}

/// The most of a request that an observer gets, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// The longest explanation of an error, in characters.
const MAX_WORDS: usize = 1_024;

/// Why there is no reply.
pub(super) enum Unanswered {
    /// The handler never saw the request.
    NotHandled(Error),
    /// The handler refused, or failed.
    Handled(Failure),
}

/// A request that was refused before its handler saw it: no or a bad passport, the wrong role, the wrong door, no request
/// of the method, no time left, no room.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Of which method.
    pub method: MethodSpec,
    /// On which of its subjects.
    pub exposure: Exposure,
    /// Who asked, if that was proved.
    pub identity: Option<Identity>,
    /// The edge that forwarded it, if one did.
    pub edge: Option<EdgeId>,
    /// The client's network address as the edge saw it.
    pub client_address: Option<String>,
    /// What was asked, in JSON as far as it can be read, cut at 8 KiB.
    pub request: String,
    /// The refusal.
    pub error: Error,
}

impl Server {
    /// Tells the observer of a refusal, if there is one.
    pub(super) fn observe(
        &self,
        spec: &MethodSpec,
        exposure: Exposure,
        identity: Option<Identity>,
        message: &Message,
        error: &Error,
    ) {
        let Some(observer) = &self.observer else { return };
        let of = |name| message.headers.as_ref().and_then(|headers| header(headers, name));
        observer.refused(Refused {
            method: *spec,
            exposure,
            identity,
            edge: of(header::EDGE).and_then(|edge| EdgeId::new(edge).ok()),
            client_address: of(header::CLIENT_ADDRESS).map(str::to_owned),
            request: readable(spec, of(header::CONTENT_TYPE), &message.payload),
            error: bounded(error.clone()),
        });
    }
}

/// With words of a length that can be kept and sent: they may quote what a client sent.
pub(super) fn bounded(mut error: Error) -> Error {
    if let Some((end, _)) = error.message.char_indices().nth(MAX_WORDS) {
        error.message.truncate(end);
    }
    error
}

fn readable(spec: &MethodSpec, content_type: Option<&str>, body: &[u8]) -> String {
    let mut text = match ContentType::from_header(content_type) {
        Ok(ContentType::Json) => String::from_utf8_lossy(&body[..body.len().min(MAX_REQUEST)]).into_owned(),
        _ => {
            (spec.request_to_json)(body).unwrap_or_else(|_| format!("{} bytes that say nothing", body.len()))
        }
    };
    text.truncate(text.floor_char_boundary(MAX_REQUEST));
    text
}
