//! Where an edge is.

use std::fmt;
use std::str::FromStr;

/// The address of an edge: `tcp://host:port`, or `ws://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port` of the plain TCP port.
    Tcp(String),
    /// The whole URL of the WebSocket.
    WebSocket(String),
}

/// A text that names no edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a server: expected tcp://host:port or ws://host:port/path")]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let is_place = |place: &str| {
            place.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let place = rest.split('/').next().unwrap_or_default();
        match scheme {
            "tcp" if is_place(rest) => Ok(Self::Tcp(rest.to_owned())),
            "ws" if is_place(place) => Ok(Self::WebSocket(text.to_owned())),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "tcp://{place}"),
            Self::WebSocket(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms_survive_being_written_and_read() {
        for good in ["tcp://127.0.0.1:7667", "tcp://[::1]:7667", "ws://localhost:7668/ws"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_that_are_accepted() {
        for bad in [
            "",
            "localhost:7667",
            "tcp://localhost",
            "tcp://:7667",
            "tcp://h:7667/",
            "http://h:1",
            "ws://h/ws",
        ] {
            assert!(bad.parse::<Address>().unwrap_err().to_string().contains("tcp://host:port"), "{bad}");
        }
    }
}
