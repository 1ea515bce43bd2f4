//! Bodies as bytes: postcard, and JSON for whoever asks for it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// How a body is encoded; the `Content-Type` header says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContentType {
    /// `application/postcard`, the default.
    #[default]
    Postcard,
    /// `application/json`.
    Json,
}

impl ContentType {
    /// The media type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postcard => "application/postcard",
            Self::Json => "application/json",
        }
    }

    /// The encoding that a header names; postcard where there is none.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] for another media type.
    pub fn from_header(value: Option<&str>) -> Result<Self, Error> {
        match value {
            None | Some("application/postcard") => Ok(Self::Postcard),
            Some("application/json") => Ok(Self::Json),
            Some(_) => Err(Error::invalid("content type must be application/postcard or application/json")),
        }
    }

    /// The bytes of `value`.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] if the type can't be encoded, which a test of the contract rules out.
    pub fn encode<T: Serialize>(self, value: &T) -> Result<Vec<u8>, Error> {
        match self {
            Self::Postcard => postcard::to_stdvec(value).map_err(|_| Error::internal()),
            Self::Json => serde_json::to_vec(value).map_err(|_| Error::internal()),
        }
    }

    /// The value in `bytes`, all of which must belong to it. An empty JSON body stands for `{}`.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`], naming the field where JSON allows it.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Error> {
        match self {
            Self::Postcard => match postcard::take_from_bytes(bytes) {
                Ok((value, [])) => Ok(value),
                Ok((_, rest)) => Err(Error::invalid(format!(
                    "body: {} bytes too many after the postcard value",
                    rest.len()
                ))),
                Err(error) => {
                    Err(Error::invalid(format!("body: not the postcard of this method's request: {error}")))
                }
            },
            Self::Json => {
                let bytes = if bytes.is_empty() { b"{}" } else { bytes };
                let mut json = serde_json::Deserializer::from_slice(bytes);
                let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
                    let path = error.path().to_string();
                    let place = if path == "." { "body".to_owned() } else { format!("body.{path}") };
                    Error::invalid(format!("{place}: {}", error.into_inner()))
                })?;
                json.end().map_err(|_| Error::invalid("body: something follows the JSON value"))?;
                Ok(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::Register;

    #[test]
    fn trailing_bytes_are_refused_in_both_codecs() {
        let request = Register {
            name: "alice".try_into().unwrap(),
            password: "p".try_into().unwrap(),
            display_name: None,
        };
        for codec in [ContentType::Postcard, ContentType::Json] {
            let mut bytes = codec.encode(&request).unwrap();
            assert_eq!(codec.decode::<Register>(&bytes).unwrap(), request);
            bytes.push(b'1');
            assert!(codec.decode::<Register>(&bytes).is_err());
        }
    }

    #[test]
    fn a_json_error_names_the_field() {
        let error = ContentType::Json.decode::<Register>(br#"{"name":7,"password":"x"}"#).unwrap_err();
        assert!(error.message.starts_with("body.name: "), "{error}");
        let error = ContentType::Json.decode::<Register>(br#"{"name":"alice"}"#).unwrap_err();
        assert!(error.message.contains("missing field `password`"), "{error}");
        let error = ContentType::Json.decode::<Register>(br#"{"name":"a","passwrd":"x"}"#).unwrap_err();
        assert!(error.message.contains("unknown field `passwrd`"), "{error}");
    }
}
