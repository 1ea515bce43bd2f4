//! What modules tell edges ([`Delivery`], [`Attachment`]), clients ([`Event`]) and each other ([`Fact`]).

use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::{Deserialize, Serialize};

use crate::{Error, GroupId, Identity, List, SessionId, UserId};

/// Something pushed to clients, such as `message.new`.
pub trait Event: Serialize + Schema {
    /// Its name in the client protocol.
    const NAME: &'static str;
}

/// Something that happened and that other modules may care about. Told once, best effort: whoever must not miss it
/// needs a call instead.
pub trait Fact: Serialize + serde::de::DeserializeOwned + Schema + Send + 'static {
    /// The service that owns the fact.
    const SERVICE: &'static str;
    /// Its name, a token of a subject.
    const NAME: &'static str;

    /// The number that ends its subject: whom or what it is about.
    fn about(&self) -> u64;
}

/// For discovery, tests and tools: an event or fact without its Rust type.
#[derive(Debug, Clone, Copy)]
pub struct EventSpec {
    /// Its name.
    pub name: &'static str,
    /// Its body.
    pub schema: &'static NamedType,
    /// The JSON of a postcard body.
    pub to_json: fn(&[u8]) -> Result<String, Error>,
}

/// What travels on `natter.deliver.…`.
///
/// An event carries both encodings of its body, made once by whoever knows its type. So an edge frames it without
/// knowing any type, and another team's service can push events of its own with no edge release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Delivery {
    /// Push an event to every session that the subject, a user's or everyone's, addresses.
    Event(Push),
    /// End sessions of the user that the subject addresses. On any other subject it means nothing, and edges pass over it.
    Close {
        /// Only this one; all of them when absent.
        only: Option<SessionId>,
        /// But not this one.
        except: Option<SessionId>,
        /// Why, as a word for programs.
        code: String,
        /// Why, in words.
        message: String,
    },
    /// Push an event to the sessions of those who are members of the group that the subject addresses, as of a version of the
    /// group.
    ///
    /// Versions make this right however deliveries are lost or overtake each other. An edge that knows an older version asks
    /// who is a member (`message.present`) before it hands out anything; and it hands out nothing to a member who joined by a
    /// later version than `joined_by`, which is older than `version` when the event is about something older.
    ToMembers {
        /// The group's version when the event happened.
        version: u64,
        /// Only for those who became members by this version, or an earlier one.
        joined_by: u64,
        /// Who became a member by this version.
        joined: Vec<UserId>,
        /// Who ceased to be one by this version.
        left: Vec<UserId>,
        /// The event.
        push: Push,
    },
    /// The user that the subject addresses has become a member of a group: receive what is delivered to it, then push the
    /// event, upon which clients ask for what they missed until now.
    Join {
        /// Which group.
        group: GroupId,
        /// The event.
        push: Push,
    },
}

/// An event in both encodings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Push {
    /// Its name in the client protocol.
    pub name: String,
    /// Its body in JSON.
    #[serde(with = "serde_bytes")]
    pub json: Vec<u8>,
    /// Its body in postcard.
    #[serde(with = "serde_bytes")]
    pub postcard: Vec<u8>,
}

impl Push {
    /// The event in both encodings.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] if the type can't be encoded, which a test of the contract rules out.
    pub fn of<E: Event>(event: &E) -> Result<Self, Error> {
        Ok(Self {
            name: E::NAME.to_owned(),
            json: crate::ContentType::Json.encode(event)?,
            postcard: crate::ContentType::Postcard.encode(event)?,
        })
    }
}

/// What the user module gives an edge when somebody signs in on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Attachment {
    /// Who signed in.
    pub identity: Identity,
    /// Proves it to every module: the bytes of a signed passport.
    #[serde(with = "serde_bytes")]
    pub passport: Vec<u8>,
    /// How long the passport is good, in milliseconds from now. The edge renews it well before (`user.renew`).
    pub valid_for_ms: u32,
}

/// How many budgets one [`Spent`] may name.
pub const SPENT_MAX: usize = 1_024;

/// What a copy of a service spent of the budgets of one of its limits, told to its other copies
/// ([`crate::subject::spent`]). A hint: one that is lost makes the limit looser for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Spent {
    /// Which copy: a number of its own, by which it passes over what it told itself.
    pub by: u64,
    /// Of which budgets.
    pub pieces: List<Pieces, SPENT_MAX>,
}

/// Pieces of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Pieces {
    /// Whose budget it is: the limit's key in postcard, which only the service itself reads.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// How many.
    pub count: u32,
}

impl Spent {
    /// What takes the place of a fact's name in its subject.
    pub const NAME: &'static str = "spent";

    /// For tools: what its body is.
    pub const SPEC: EventSpec = EventSpec {
        name: Self::NAME,
        schema: <Self as Schema>::SCHEMA,
        to_json: crate::service::to_json::<Self>,
    };
}

/// What whoever delivers says all the time on [`crate::subject::beat`], by which an edge learns that deliveries may have been
/// lost on their way: a number is missing, and there were deliveries meanwhile; or some were lost before the bus had them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Beat {
    /// Who says it: a number of its own.
    pub by: u64,
    /// From 1 on, one more each time, and two more when its connection broke since the last one.
    pub number: u64,
    /// How many deliveries it has made before.
    pub deliveries: u64,
    /// How many of them the bus did not take.
    pub lost: u64,
}

impl Beat {
    /// The time from one to the next.
    pub const EVERY: std::time::Duration = std::time::Duration::from_secs(1);

    /// For tools: what its body is.
    pub const SPEC: EventSpec = EventSpec {
        name: "beat",
        schema: <Self as Schema>::SCHEMA,
        to_json: crate::service::to_json::<Self>,
    };
}

/// Declares the events of a service: gives each type its name, and lists them.
#[macro_export]
macro_rules! events {
    ($($name:literal: $event:ty),* $(,)?) => {
        $(impl $crate::Event for $event {
            const NAME: &'static str = $name;
        })*

        /// The events that this service pushes to clients.
        pub const EVENTS: &[$crate::delivery::EventSpec] = &[$($crate::delivery::EventSpec {
            name: $name,
            schema: <$event as postcard_schema::Schema>::SCHEMA,
            to_json: $crate::service::to_json::<$event>,
        }),*];
    };
}

/// Declares the facts of a service: gives each type its name and what it is about, and lists them.
#[macro_export]
macro_rules! facts {
    ($service:ty { $($name:literal: $fact:ty, about $field:ident),* $(,)? }) => {
        $(impl $crate::Fact for $fact {
            const SERVICE: &'static str = <$service as $crate::Service>::NAME;
            const NAME: &'static str = $name;

            fn about(&self) -> u64 {
                self.$field.get()
            }
        })*

        /// The facts that this service tells other modules.
        pub const FACTS: &[$crate::delivery::EventSpec] = &[$($crate::delivery::EventSpec {
            name: $name,
            schema: <$fact as postcard_schema::Schema>::SCHEMA,
            to_json: $crate::service::to_json::<$fact>,
        }),*];
    };
}
