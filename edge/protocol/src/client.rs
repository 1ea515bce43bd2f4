//! What a client says.

use std::borrow::Cow;

use bytes::{BufMut, Bytes};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Encoding;

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientFrame<'a> {
    /// Calls a method.
    Call {
        /// The client's number for this call, unique among its open ones; 1 to 2^53-1.
        id: u64,
        /// Which method: `service.method`, or `service.v2.method`.
        #[serde(borrow)]
        call: Cow<'a, str>,
        /// The request, in the frame's encoding.
        #[serde(borrow, with = "serde_bytes")]
        body: &'a [u8],
    },
    /// Asks for a sign of life.
    Ping {
        /// As in a call.
        id: u64,
    },
}

/// Why a frame could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFrame {
    /// The frame's id, where that much could be read; otherwise 0.
    pub id: u64,
    /// What was wrong and what is accepted.
    pub message: String,
}

/// The JSON form: which field is there says what the frame is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json<'a> {
    id: u64,
    #[serde(borrow)]
    call: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    ping: Option<Empty>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

impl<'a> ClientFrame<'a> {
    /// Reads one frame, without its line end or length.
    ///
    /// # Errors
    /// [`BadFrame`]; the connection can go on.
    pub fn decode(encoding: Encoding, bytes: &'a [u8]) -> Result<Self, BadFrame> {
        let frame = match encoding {
            Encoding::Json => decode_json(bytes)?,
            Encoding::Binary => match postcard::take_from_bytes(bytes) {
                Ok((frame, [])) => frame,
                Ok((_, rest)) => {
                    return Err(BadFrame {
                        id: 0,
                        message: format!("{} bytes too many after the frame", rest.len()),
                    });
                }
                Err(error) => {
                    return Err(BadFrame {
                        id: 0,
                        message: format!("not the postcard of a client frame: {error}"),
                    });
                }
            },
        };
        let (Self::Call { id, .. } | Self::Ping { id }) = frame;
        if (1..=broker_schemas::id::MAX_ID).contains(&id) {
            Ok(frame)
        } else {
            Err(BadFrame { id: 0, message: "id: expected a whole number from 1 to 9007199254740991".into() })
        }
    }

    /// The frame's bytes: for a byte stream, with its line end or length; otherwise for one WebSocket message.
    ///
    /// # Errors
    /// When the body of a JSON call is not JSON.
    pub fn encode(&self, encoding: Encoding, stream: bool) -> Result<Bytes, String> {
        let body = if let Self::Call { body, .. } = self { body.len() } else { 0 };
        let mut out = encoding.start(body, stream);
        match encoding {
            Encoding::Binary => {
                let bytes = postcard::to_stdvec(self).map_err(|error| error.to_string())?;
                out.put_slice(&bytes);
            }
            Encoding::Json => encode_json(self, &mut (&mut out).writer())?,
        }
        Ok(encoding.finish(out, stream))
    }
}

fn decode_json(bytes: &[u8]) -> Result<ClientFrame<'_>, BadFrame> {
    let json: Json<'_> = serde_json::from_slice(bytes).map_err(|error| {
        // A frame with a readable id gets its error under that id.
        #[derive(Deserialize)]
        struct OnlyId {
            id: u64,
        }
        let id = serde_json::from_slice::<OnlyId>(bytes).map_or(0, |frame| frame.id);
        BadFrame { id, message: format!("not a frame: {error}") }
    })?;
    let id = json.id;
    match json {
        Json { call: Some(call), ping: None, body, .. } => {
            let body = body.map_or(&b""[..], |body| body.get().as_bytes());
            Ok(ClientFrame::Call { id, call, body })
        }
        Json { call: None, ping: Some(_), body: None, .. } => Ok(ClientFrame::Ping { id }),
        _ => Err(BadFrame { id, message: r#"a frame has either "call" (and "body") or "ping""#.into() }),
    }
}

fn encode_json(frame: &ClientFrame<'_>, out: &mut impl std::io::Write) -> Result<(), String> {
    #[derive(Serialize)]
    struct Out<'a> {
        id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ping: Option<Empty>,
    }
    let form = match frame {
        ClientFrame::Call { id, call, body } => {
            let body = if body.is_empty() { b"{}" } else { *body };
            let body = serde_json::from_slice(body).map_err(|error| format!("body: {error}"))?;
            Out { id: *id, call: Some(call), body: Some(body), ping: None }
        }
        ClientFrame::Ping { id } => Out { id: *id, call: None, body: None, ping: Some(Empty {}) },
    };
    serde_json::to_writer(out, &form).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<ClientFrame<'_>, BadFrame> {
        ClientFrame::decode(Encoding::Json, text.as_bytes())
    }

    #[test]
    fn both_encodings_carry_every_frame() {
        let frames = [
            ClientFrame::Call { id: 1, call: "user.login".into(), body: br#"{"name":"a"}"# },
            ClientFrame::Ping { id: 2 },
        ];
        for frame in frames {
            for encoding in [Encoding::Json, Encoding::Binary] {
                let bytes = frame.encode(encoding, false).unwrap();
                assert_eq!(ClientFrame::decode(encoding, &bytes).unwrap(), frame);
            }
        }
    }

    #[test]
    fn the_json_form_is_the_documented_one() {
        let frame = ClientFrame::Call { id: 1, call: "user.login".into(), body: br#"{"name":"a"}"# };
        let bytes = frame.encode(Encoding::Json, true).unwrap();
        assert_eq!(&bytes[..], b"{\"id\":1,\"call\":\"user.login\",\"body\":{\"name\":\"a\"}}\n");
    }

    #[test]
    fn a_bad_frame_says_what_is_wrong_under_its_own_id() {
        assert_eq!(json(r#"{"id":5,"cal":"x.y"}"#).unwrap_err().id, 5);
        assert_eq!(json(r#"{"id":5}"#).unwrap_err().id, 5);
        assert_eq!(json(r#"{"id":5,"call":"a.b","ping":{}}"#).unwrap_err().id, 5);
        assert_eq!(json("{nonsense").unwrap_err().id, 0);
        assert_eq!(json(r#"{"id":0,"ping":{}}"#).unwrap_err().id, 0);
        assert!(json(r#"{"call":"a.b"}"#).unwrap_err().message.contains("missing field `id`"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = ClientFrame::decode(Encoding::Json, &bytes);
            let _ = ClientFrame::decode(Encoding::Binary, &bytes);
        }
    }
}
