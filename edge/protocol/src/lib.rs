//! The client protocol, version 1: frames between a client and an edge, in JSON lines and in binary.
//!
//! `docs/PROTOCOL.md` describes it for people. Bodies stay bytes here: whoever knows their types encodes and decodes
//! them, in the same encoding as the frame.
//!
//! - [`Encoding::Json`]: over TCP a frame is a line; over WebSocket a text message.
//! - [`Encoding::Binary`]: over TCP, after the four bytes [`BINARY_MAGIC`], a frame is a big-endian `u32` length and
//!   so many bytes of postcard; over WebSocket a binary message is the postcard alone.

mod client;
mod server;

pub use client::{BadFrame, ClientFrame};
pub use server::{Failure, ServerFrame};

use bytes::{BufMut, Bytes, BytesMut};

/// The first bytes of a binary TCP connection.
pub const BINARY_MAGIC: [u8; 4] = *b"NTR1";
/// The longest frame that an edge accepts, in bytes, without line end or length.
pub const MAX_CLIENT_FRAME: usize = 64 * 1024;
/// The longest frame that an edge sends, in bytes, without line end or length.
pub const MAX_SERVER_FRAME: usize = 1024 * 1024;

/// How the frames of a connection are encoded; the client's first bytes decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON, for people and scripting languages.
    Json,
    /// postcard.
    Binary,
}

impl Encoding {
    /// How bodies are encoded on a connection with this encoding.
    #[must_use]
    pub const fn content_type(self) -> broker_schemas::ContentType {
        match self {
            Self::Json => broker_schemas::ContentType::Json,
            Self::Binary => broker_schemas::ContentType::Postcard,
        }
    }

    /// Starts a frame of about `body` bytes for a byte stream; [`Encoding::finish`] completes it.
    fn start(self, body: usize, stream: bool) -> BytesMut {
        let mut frame = BytesMut::with_capacity(body + 64);
        if stream && self == Self::Binary {
            frame.put_u32(0);
        }
        frame
    }

    fn finish(self, mut frame: BytesMut, stream: bool) -> Bytes {
        match (stream, self) {
            (true, Self::Json) => frame.put_u8(b'\n'),
            (true, Self::Binary) => {
                let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
                frame[..4].copy_from_slice(&length.to_be_bytes());
            }
            (false, _) => {}
        }
        frame.freeze()
    }
}
