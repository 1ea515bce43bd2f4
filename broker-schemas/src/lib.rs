//! The contract that every part of Natter shares, and nothing else: what services exist, which methods they
//! answer, what travels, under which subject, and who may say it.
//!
//! Nothing here knows about sockets, SQL or NATS clients. Start with one of the services ([`user`], [`friend`],
//! [`group`], [`message`]), then see [`mod@service`] for what a declaration gives.
//!
//! Every type here that travels is frozen once released: see `schema.lock` beside this crate.

pub mod admin;
pub mod announcement;
pub mod bounded;
pub mod caller;
pub mod codec;
pub mod delivery;
pub mod error;
pub mod friend;
pub mod group;
pub mod header;
pub mod id;
pub mod message;
pub mod notation;
pub mod permission;
pub mod rights;
pub mod service;
pub mod subject;
pub mod user;
pub mod visible;

pub use bounded::{List, Map, Text};
pub use caller::{
    Access, Anyone, Auditor, Caller, Identity, Moderator, Operator, Part, Role, SignedIn, Staff,
};
pub use codec::ContentType;
pub use delivery::{Delivery, Event, Fact};
pub use error::{Code, Error, Outcome};
pub use id::{Conversation, EdgeId, GroupId, Seq, SessionId, Timestamp, UserId};
pub use service::{Audiences, Exposure, Method, MethodSpec, Repeat, Service, ServiceSpec};

use serde::{Deserialize, Serialize};

/// Every service of the platform, in the order in which people read about them.
pub const SERVICES: &[&ServiceSpec] = &[
    &user::User::SPEC,
    &friend::Friend::SPEC,
    &group::Group::SPEC,
    &message::Message::SPEC,
    &announcement::Announcement::SPEC,
    &admin::Admin::SPEC,
];

/// The service called `name`, if the contract has it.
#[must_use]
pub fn find_service(name: &str) -> Option<&'static ServiceSpec> {
    SERVICES.iter().copied().find(|service| service.name == name)
}

/// A reply that says nothing but that it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, postcard_schema::Schema)]
pub struct Done {}

/// What a service fetched from another one for its own reply: the value, or why it is missing.
///
/// Sign-in answers even when the friend list can't be had; the client is told so, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, postcard_schema::Schema)]
#[serde(rename_all = "snake_case")]
pub enum Fetched<T> {
    /// The other service answered.
    Available(T),
    /// It did not; ask again later by the service's own method.
    Unavailable {
        /// Why, as a code.
        code: Code,
        /// Why, in words.
        message: String,
    },
}

impl<T> Fetched<T> {
    /// The value, if it could be had.
    pub fn available(self) -> Option<T> {
        match self {
            Self::Available(value) => Some(value),
            Self::Unavailable { .. } => None,
        }
    }
}

impl<T> From<Result<T, Error>> for Fetched<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Available(value),
            Err(error) => Self::Unavailable { code: error.code, message: error.message },
        }
    }
}
