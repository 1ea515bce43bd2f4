//! Client library for the protocol of an edge, over TCP and WebSocket.
//!
//! Two layers, each usable by itself:
//!
//! - [`Client`] is one connection: typed calls out, [`Event`]s in. When it breaks, it stays broken, and every call on it
//!   says whether it may have happened ([`CallError::outcome`]).
//! - [`Chat`] is one signed-in user over as many connections as it takes: it reconnects, resumes the session, asks for
//!   what it missed, and hands over every message in order and once.
//!
//! Bounds: a connection has at most [`Options::open_calls`] open calls and holds at most [`Options::event_queue`] events
//! that the application did not take yet; past that, events are dropped and one [`Event::Resync`] stands for them.
//!
//! One task per connection, and one more per [`Chat`]: thousands of clients fit in a process.

mod address;
mod backoff;
mod calls;
mod chat;
mod client;
mod connection;
mod driver;
mod error;
mod event;
mod inbox;
mod transport;

pub use address::{Address, BadAddress};
pub use chat::{Chat, ChatOptions, Update, Updates};
pub use client::{Client, Events, Options};
pub use error::{CallError, Closed, ConnectError, SignInError};
pub use event::{Event, RawEvent};
pub use natter_protocol::Encoding;
