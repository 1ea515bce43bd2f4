//! Names of the headers that travel beside a body on the bus.
//!
//! `Nats-` names are the NATS service protocol's own (ADR-32); `traceparent` is W3C Trace Context.

/// How the body is encoded, see [`crate::ContentType`].
pub const CONTENT_TYPE: &str = "Content-Type";
/// Who calls: base64url of a signed [`crate::caller::Passport`].
pub const PASSPORT: &str = "Natter-Passport";
/// How long the caller still waits, in milliseconds. A duration, not a moment: clocks of machines differ.
pub const TIMEOUT: &str = "Natter-Timeout";
/// When the request was sent, in milliseconds by a clock of the caller's own that only counts. By the differences of several
/// requests a callee sees which of them waited on the way longer than their callers did.
pub const SENT: &str = "Natter-Sent";
/// The name of the edge that forwards the call.
pub const EDGE: &str = "Natter-Edge";
/// The network address of the client, as the edge sees it, for limits on guessing.
pub const CLIENT_ADDRESS: &str = "Natter-Client-Address";
/// In a reply: signs the connection in. Base64url of a postcard [`crate::delivery::Attachment`].
pub const ATTACH: &str = "Natter-Attach";
/// In a reply: signs the connection out. The value says why, for the log.
pub const DETACH: &str = "Natter-Detach";
/// The trace that the call belongs to.
pub const TRACEPARENT: &str = "traceparent";
/// The words of an error reply.
pub const ERROR: &str = "Nats-Service-Error";
/// The number of an error reply, see [`crate::Code::number`].
pub const ERROR_CODE: &str = "Nats-Service-Error-Code";
/// With a rate limit: milliseconds to wait.
pub const RETRY_AFTER: &str = "Natter-Retry-After";
