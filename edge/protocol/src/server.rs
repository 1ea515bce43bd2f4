//! What an edge says.

use std::borrow::Cow;

use broker_schemas::{Code, Error, Outcome};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Encoding;

/// A frame from an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFrame<'a> {
    /// A call succeeded.
    Ok {
        /// The call's id.
        id: u64,
        /// The reply, in the frame's encoding.
        #[serde(borrow, with = "serde_bytes")]
        body: &'a [u8],
    },
    /// A call failed, or a frame could not be read (then `id` may be 0).
    Error {
        /// The call's id.
        id: u64,
        /// Why.
        #[serde(borrow)]
        error: Failure<'a>,
    },
    /// Something happened.
    Event {
        /// Its name.
        #[serde(borrow)]
        event: Cow<'a, str>,
        /// What it says, in the frame's encoding.
        #[serde(borrow, with = "serde_bytes")]
        body: &'a [u8],
    },
    /// Answers a ping.
    Pong {
        /// The ping's id.
        id: u64,
    },
    /// The edge closes the connection; no frame follows.
    Closing {
        /// Why, as a word for programs.
        #[serde(borrow)]
        code: Cow<'a, str>,
        /// Why, in words.
        #[serde(borrow)]
        message: Cow<'a, str>,
    },
}

/// Why a call failed, and what the client may conclude.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure<'a> {
    /// Why, as a code.
    pub code: Code,
    /// Why, in words.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// Whether it happened.
    pub outcome: Outcome,
    /// With `rate_limited`: how long to wait, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

impl<'a> From<&'a Error> for Failure<'a> {
    fn from(error: &'a Error) -> Self {
        Self {
            code: error.code,
            message: error.message.as_str().into(),
            outcome: error.outcome(),
            retry_after_ms: error.retry_after_ms,
        }
    }
}

impl From<Failure<'_>> for Error {
    fn from(failure: Failure<'_>) -> Self {
        Self {
            code: failure.code,
            message: failure.message.into_owned(),
            retry_after_ms: failure.retry_after_ms,
        }
    }
}

/// The JSON form: which field is there says what the frame is.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(default)]
    id: u64,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    pong: Option<Empty>,
    #[serde(borrow)]
    closing: Option<Closing<'a>>,
}

#[derive(Deserialize)]
struct Empty {}

#[derive(Serialize, Deserialize)]
struct Closing<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

impl<'a> ServerFrame<'a> {
    /// Reads one frame, without its line end or length.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn decode(encoding: Encoding, bytes: &'a [u8]) -> Result<Self, String> {
        match encoding {
            Encoding::Binary => postcard::from_bytes(bytes).map_err(|error| error.to_string()),
            Encoding::Json => {
                let json: Json<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                let id = json.id;
                let raw = |body: &'a RawValue| body.get().as_bytes();
                match json {
                    Json { ok: Some(body), .. } => Ok(Self::Ok { id, body: raw(body) }),
                    Json { error: Some(error), .. } => Ok(Self::Error { id, error }),
                    Json { event: Some(event), body, .. } => {
                        Ok(Self::Event { event, body: body.map_or(b"{}", raw) })
                    }
                    Json { pong: Some(_), .. } => Ok(Self::Pong { id }),
                    Json { closing: Some(Closing { code, message }), .. } => {
                        Ok(Self::Closing { code, message })
                    }
                    _ => Err("not a frame of an edge".into()),
                }
            }
        }
    }

    /// The frame's bytes: for a byte stream, with its line end or length; otherwise for one WebSocket message.
    ///
    /// A JSON body is spliced in as it is. Whoever wrote it may have spread it over lines; a line end inside would
    /// break a line protocol, so it becomes a space, which JSON allows wherever it allows a line end.
    #[must_use]
    pub fn encode(&self, encoding: Encoding, stream: bool) -> Bytes {
        let body = if let Self::Ok { body, .. } | Self::Event { body, .. } = self { body.len() } else { 64 };
        let mut out = encoding.start(body, stream);
        match encoding {
            // Encoding these types can't fail: no maps, no unsized sequences.
            Encoding::Binary => {
                out = postcard::serialize_with_flavor(self, Appending(out)).unwrap_or_default();
            }
            Encoding::Json => self.encode_json(&mut out),
        }
        encoding.finish(out, stream)
    }

    fn encode_json(&self, out: &mut BytesMut) {
        match self {
            Self::Ok { id, body } => {
                out.put_slice(b"{\"id\":");
                put_json(out, id);
                out.put_slice(b",\"ok\":");
                put_body(out, body);
            }
            Self::Error { id, error } => {
                out.put_slice(b"{\"id\":");
                put_json(out, id);
                out.put_slice(b",\"error\":");
                put_json(out, error);
            }
            Self::Event { event, body } => {
                out.put_slice(b"{\"event\":");
                put_json(out, event);
                out.put_slice(b",\"body\":");
                put_body(out, body);
            }
            Self::Pong { id } => {
                out.put_slice(b"{\"id\":");
                put_json(out, id);
                out.put_slice(b",\"pong\":{}");
            }
            Self::Closing { code, message } => {
                out.put_slice(b"{\"closing\":");
                put_json(out, &Closing { code: code.as_ref().into(), message: message.as_ref().into() });
            }
        }
        out.put_u8(b'}');
    }
}

fn put_json(out: &mut BytesMut, value: &impl Serialize) {
    // Writing numbers and strings into memory can't fail.
    let _ = serde_json::to_writer(out.writer(), value);
}

fn put_body(out: &mut BytesMut, body: &[u8]) {
    let body = if body.is_empty() { b"{}" } else { body };
    let start = out.len();
    out.put_slice(body);
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Lets postcard append to a buffer that has the length in front already.
struct Appending(BytesMut);

impl postcard::ser_flavors::Flavor for Appending {
    type Output = BytesMut;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.put_u8(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.put_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<BytesMut> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> [ServerFrame<'static>; 5] {
        let error = Failure {
            code: Code::RateLimited,
            message: "slow \"down\"\n".into(),
            outcome: Outcome::Rejected,
            retry_after_ms: Some(200),
        };
        [
            ServerFrame::Ok { id: 1, body: br#"{"user":7}"# },
            ServerFrame::Error { id: 2, error },
            ServerFrame::Event { event: "message.new".into(), body: b"{}" },
            ServerFrame::Pong { id: 3 },
            ServerFrame::Closing { code: "slow_consumer".into(), message: "too slow".into() },
        ]
    }

    #[test]
    fn both_encodings_carry_every_frame() {
        for frame in frames() {
            for encoding in [Encoding::Json, Encoding::Binary] {
                let bytes = frame.encode(encoding, false);
                assert_eq!(ServerFrame::decode(encoding, &bytes).unwrap(), frame);
            }
        }
    }

    #[test]
    fn the_json_form_is_the_documented_one() {
        let lines: Vec<_> = frames()
            .iter()
            .map(|frame| String::from_utf8(frame.encode(Encoding::Json, true).to_vec()).unwrap())
            .collect();
        assert_eq!(lines[0], "{\"id\":1,\"ok\":{\"user\":7}}\n");
        assert_eq!(
            lines[1],
            "{\"id\":2,\"error\":{\"code\":\"rate_limited\",\"message\":\"slow \\\"down\\\"\\n\",\
             \"outcome\":\"rejected\",\"retry_after_ms\":200}}\n"
        );
        assert_eq!(lines[2], "{\"event\":\"message.new\",\"body\":{}}\n");
        assert_eq!(lines[3], "{\"id\":3,\"pong\":{}}\n");
        assert_eq!(lines[4], "{\"closing\":{\"code\":\"slow_consumer\",\"message\":\"too slow\"}}\n");
    }

    #[test]
    fn a_body_on_several_lines_stays_one_line() {
        let frame = ServerFrame::Ok { id: 1, body: b"{\n  \"a\": 1\r\n}" };
        let bytes = frame.encode(Encoding::Json, true);
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(ServerFrame::decode(Encoding::Json, bytes.trim_ascii_end()).is_ok());
    }

    #[test]
    fn a_binary_frame_on_a_stream_begins_with_its_length() {
        for frame in frames() {
            let bytes = frame.encode(Encoding::Binary, true);
            let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_be_bytes(*length) as usize, rest.len());
            assert_eq!(ServerFrame::decode(Encoding::Binary, rest).unwrap(), frame);
        }
    }
}
