//! Why an edge closes a connection: the codes of the client protocol.

use natter_protocol::ServerFrame;

/// The last word on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closing {
    /// For programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: &'static str,
}

impl Closing {
    pub(crate) const SIGN_IN_TIMEOUT: Self =
        Self::new("sign_in_timeout", "nobody signed in on this connection in time");
    pub(crate) const FRAME_TIMEOUT: Self =
        Self::new("frame_timeout", "a frame began and was not completed in time");
    pub(crate) const FRAME_TOO_LARGE: Self =
        Self::new("frame_too_large", "a frame is at most 65536 bytes, without its line end or length");
    pub(crate) const BAD_FRAMES: Self = Self::new("bad_frames", "too many frames could not be read");
    pub(crate) const BAD_WEBSOCKET: Self =
        Self::new("bad_websocket", "the client broke the rules of the WebSocket protocol");
    pub(crate) const UNKNOWN_PROTOCOL: Self = Self::new(
        "unknown_protocol",
        "begin with { to speak JSON, a frame a line, or with NTR1 to speak the binary form",
    );
    pub(crate) const TOO_MANY_CONNECTIONS: Self =
        Self::new("too_many_connections", "there are too many connections; close another one first");
    pub(crate) const SLOW_CONSUMER: Self =
        Self::new("slow_consumer", "too much waited for the client to read it");
    pub(crate) const UNRESPONSIVE: Self = Self::new("unresponsive", "the client showed no sign of life");
    pub(crate) const SESSION_ENDED: Self = Self::new("session_ended", "the session on this connection ended");
    pub(crate) const SERVER_STOPPING: Self =
        Self::new("server_stopping", "this edge stops; connect again, to another one");

    const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message }
    }

    pub(crate) fn frame(self) -> ServerFrame<'static> {
        ServerFrame::Closing { code: self.code.into(), message: self.message.into() }
    }
}
