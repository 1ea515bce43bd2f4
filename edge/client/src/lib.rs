//! Client library for the protocol of an edge, over TCP and WebSocket.
//!
//! Two layers, each usable by itself:
//!
//! - [`Client`] is one connection: typed calls out, [`Event`]s in. When it breaks, it stays broken, and every call on it
//!   says whether it may have happened ([`CallError::outcome`]).
//! - [`Chat`] is one signed-in user over as many connections as it takes: it reconnects, resumes the session, asks for
//!   what it missed, and hands over every message in order and once, and every change of a message after it; and what the
//!   platform's operators announce, once per wording.
//!
//! Bounds: a connection has at most [`Options::open_calls`] open calls and holds at most [`Options::event_queue`] events
//! that the application did not take yet; past that, events are dropped and one [`Event::Resync`] stands for them.
//!
//! One task per connection, and one more per [`Chat`]: thousands of clients fit in a process.

mod address;
mod backoff;
mod board;
mod calls;
mod change;
mod chat;
mod client;
mod connection;
mod draft;
mod driver;
mod error;
mod event;
mod inbox;
mod receipts;
mod transport;
mod updates;

pub use address::{Address, BadAddress};
pub use change::Change;
pub use chat::{Chat, ChatOptions};
pub use client::{Client, Events, Options};
pub use draft::Draft;
pub use error::{CallError, Closed, ConnectError, SignInError};
pub use event::{Event, RawEvent};
pub use inbox::Cursor;
pub use natter_protocol::Encoding;
pub use updates::{Update, Updates};
