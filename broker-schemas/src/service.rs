//! What one declaration of a service gives: a type per method, its facts, and the list that makes a missing handler a
//! compile error.
//!
//! ```ignore
//! service! {
//!     /// Who is whose friend.
//!     Friend = "friend" version 1, calls: [user::Lookup], hears: [user::PresenceChanged];
//!
//!     /// Takes back a friendship.
//!     "remove": Remove => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }
//! }
//! ```
//!
//! - `"list" version 2`: a method that has changed, beside `"list"`, which is in the service's version.
//! - `by`: who may call, one of the [`crate::caller`] types; the handler receives it as the proof.
//! - `on`: from where, see [`Exposure`].
//! - `repeat`: what a second call with the same request does, see [`Repeat`].
//! - `deadline_ms`: how long a caller waits when it has no deadline of its own, and the most that a callee works on it.

use std::time::Duration;

use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::EventSpec;
use crate::{Access, Caller, ContentType, Error};

/// From where a method may be called; each has subjects, and so permissions, of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exposure {
    /// By clients, through an edge.
    Client,
    /// By operators.
    Admin,
    /// By other parts of the platform.
    Internal,
}

impl Exposure {
    /// Its token in a subject.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Admin => "admin",
            Self::Internal => "internal",
        }
    }
}

/// What calling twice with the same request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Changes nothing, however often.
    Read,
    /// The same as calling once: the host may repeat a call whose outcome is unknown.
    Idempotent,
    /// Something again: only the caller can know whether to repeat.
    Once,
}

impl Repeat {
    /// The word for it in discovery and documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }

    /// Whether a call whose outcome is unknown may be repeated without asking.
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Read | Self::Idempotent)
    }
}

/// A request type: it names its service, its reply and who may send it.
pub trait Method: Serialize + DeserializeOwned + Schema + Send + Sync + 'static {
    /// The service that answers.
    type Service: Service;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Schema + Send + 'static;
    /// The proof that the handler receives.
    type Caller: Caller;
    /// All the rest.
    const SPEC: MethodSpec;
}

/// A service of the contract.
pub trait Service: Send + Sync + 'static {
    /// Its request types, as a nested pair list `(First, (Second, ()))`: whoever serves it must handle each.
    type Methods;
    /// Its name: a token of its subjects, its queue group, its credential on the bus.
    const NAME: &'static str;
    /// All the rest.
    const SPEC: ServiceSpec;
}

/// For subjects, permissions, discovery and tools: a method without its Rust types.
#[derive(Debug, Clone, Copy)]
pub struct MethodSpec {
    /// The service's name.
    pub service: &'static str,
    /// The version of its subjects: that of the service, unless the method has one of its own.
    pub version: u16,
    /// The method's name, a token of its subjects.
    pub name: &'static str,
    /// What callers name behind the service: `list`, and `v2.list` when it has a version of its own.
    pub called: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// From where it may be called.
    pub exposures: &'static [Exposure],
    /// Who may call it.
    pub access: Access,
    /// What a repeated call does.
    pub repeat: Repeat,
    /// How long a call may take.
    pub deadline: Duration,
    /// The shape of the request.
    pub request: &'static NamedType,
    /// The shape of the reply.
    pub reply: &'static NamedType,
    /// The JSON of a postcard request.
    pub request_to_json: fn(&[u8]) -> Result<String, Error>,
    /// The JSON of a postcard reply.
    pub reply_to_json: fn(&[u8]) -> Result<String, Error>,
}

/// For subjects, permissions, discovery and tools: a service without its Rust types.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSpec {
    /// Its name: a token of its subjects, its queue group, its role on the bus.
    pub name: &'static str,
    /// The version of its subjects.
    pub version: u16,
    /// What it is for.
    pub description: &'static str,
    /// Its methods.
    pub methods: &'static [MethodSpec],
    /// The methods of other services that it calls; it may call no other.
    pub calls: &'static [MethodSpec],
    /// The events that it pushes to clients.
    pub events: &'static [EventSpec],
    /// The facts that it tells other modules.
    pub facts: &'static [EventSpec],
    /// The facts of other services that it listens to, as `(service, fact)`.
    pub hears: &'static [(&'static str, &'static str)],
    /// To whom it delivers.
    pub delivers: &'static [Audiences],
}

impl ServiceSpec {
    /// Whether something arrives for it on subjects of this exposure. A method for operators has a client's subject too,
    /// where it is refused: the calls of an edge that carries no administrative ones come in there.
    #[must_use]
    pub fn listens_on(&self, exposure: Exposure) -> bool {
        let also = if exposure == Exposure::Client { Exposure::Admin } else { exposure };
        self.methods.iter().any(|method| method.exposures.iter().any(|on| *on == exposure || *on == also))
    }
}

/// To whom a service may deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audiences {
    /// To any user.
    Users,
    /// To any group.
    Groups,
    /// To everyone who is online.
    Everyone,
}

/// The JSON of a postcard `T`.
///
/// # Errors
/// When `bytes` are not the postcard of a `T`.
pub fn to_json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<String, Error> {
    let value: T = ContentType::Postcard.decode(bytes)?;
    serde_json::to_string(&value).map_err(|_| Error::internal())
}

/// Declares a service; the [module](self) says how to read it.
#[macro_export]
macro_rules! service {
    (
        $(#[doc = $doc:literal])*
        $service:ident = $name:literal version $version:literal,
        calls: [$($callee:ty),* $(,)?],
        hears: [$($fact:ty),* $(,)?],
        delivers: [$($audience:ident),* $(,)?];
        $(
            $(#[doc = $method_doc:literal])*
            $method:literal $(version $own:literal)?: $request:ty => $reply:ty {
                by: $caller:ty, on: [$($exposure:ident),+], repeat: $repeat:ident, deadline_ms: $deadline:literal
            }
        )*
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $service;

        impl $crate::Service for $service {
            type Methods = $crate::service!(@list $($request),*);
            const NAME: &'static str = $name;
            const SPEC: $crate::ServiceSpec = $crate::ServiceSpec {
                name: $name,
                version: $version,
                description: concat!($($doc),*).trim_ascii(),
                methods: &[$(<$request as $crate::Method>::SPEC),*],
                calls: &[$(<$callee as $crate::Method>::SPEC),*],
                events: EVENTS,
                facts: FACTS,
                hears: &[$((<$fact as $crate::Fact>::SERVICE, <$fact as $crate::Fact>::NAME)),*],
                delivers: &[$($crate::service::Audiences::$audience),*],
            };
        }

        impl $service {
            /// The service without its Rust types.
            pub const SPEC: $crate::ServiceSpec = <Self as $crate::Service>::SPEC;
        }

        $(
            impl $crate::Method for $request {
                type Service = $service;
                type Reply = $reply;
                type Caller = $caller;
                const SPEC: $crate::MethodSpec = {
                    const SPEC: $crate::MethodSpec = $crate::MethodSpec {
                        service: $name,
                        version: $crate::service!(@version $version $($own)?),
                        name: $method,
                        called: $crate::service!(@called $method $($own)?),
                        description: concat!($($method_doc),*).trim_ascii(),
                        exposures: &[$($crate::Exposure::$exposure),+],
                        access: <$caller as $crate::Caller>::ACCESS,
                        repeat: $crate::Repeat::$repeat,
                        deadline: std::time::Duration::from_millis($deadline),
                        request: <$request as postcard_schema::Schema>::SCHEMA,
                        reply: <$reply as postcard_schema::Schema>::SCHEMA,
                        request_to_json: $crate::service::to_json::<$request>,
                        reply_to_json: $crate::service::to_json::<$reply>,
                    };
                    $crate::service::check(&SPEC);
                    SPEC
                };
            }
        )*
    };
    (@version $of_service:literal) => { $of_service };
    (@version $of_service:literal $own:literal) => { $own };
    (@called $method:literal) => { $method };
    (@called $method:literal $own:literal) => { concat!("v", $own, ".", $method) };
    (@list) => { () };
    (@list $first:ty $(, $rest:ty)*) => { ($first, $crate::service!(@list $($rest),*)) };
}

/// Refuses, while compiling, a declaration that would let the wrong callers in.
pub const fn check(method: &MethodSpec) {
    let mut i = 0;
    while i < method.exposures.len() {
        match (method.exposures[i], method.access) {
            (Exposure::Internal, _)
            | (Exposure::Client, Access::Anyone | Access::SignedIn)
            | (Exposure::Admin, Access::Operator | Access::Moderator | Access::Auditor | Access::Staff) => {}
            (Exposure::Client, _) => panic!("a method on client subjects is `by` Anyone or SignedIn"),
            (Exposure::Admin, _) => panic!("a method on admin subjects is `by` a role"),
        }
        i += 1;
    }
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "what the macros declare is public")]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::caller::SignedIn;
    use crate::permission::matches;
    use crate::{Done, events, facts, subject};

    #[derive(Serialize, Deserialize, Schema)]
    pub struct Paint {
        pub wall: u32,
    }

    #[derive(Serialize, Deserialize, Schema)]
    pub struct PaintTwice {
        pub walls: Vec<u32>,
    }

    service! {
        /// What a release has made of a service.
        Painter = "painter" version 1,
        calls: [],
        hears: [],
        delivers: [];

        /// Paints a wall.
        "paint": Paint => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

        /// Paints several.
        "paint" version 2: PaintTwice => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }
    }

    events! {}

    facts! { Painter {} }

    #[test]
    fn a_method_that_has_changed_stands_beside_the_former_one_and_needs_no_other_permission() {
        let subjects = Painter::SPEC.methods.iter().map(|method| subject::method(Exposure::Client, method));
        let subjects: Vec<String> = subjects.map(subject::Subject::into_inner).collect();
        assert_eq!(subjects, ["natter.client.painter.v1.paint", "natter.client.painter.v2.paint"]);
        let called: Vec<_> = Painter::SPEC.methods.iter().map(|method| method.called).collect();
        assert_eq!(called, ["paint", "v2.paint"]);
        for (call, expected) in called.iter().zip(&subjects) {
            assert_eq!(subject::client_call(&format!("painter.{call}")).unwrap().as_str(), expected);
            assert!(matches(subject::methods(Exposure::Client, &Painter::SPEC).as_str(), expected));
            assert!(matches(
                subject::versions(Exposure::Client, &Painter::SPEC.methods[0]).as_str(),
                expected
            ));
        }
    }
}
