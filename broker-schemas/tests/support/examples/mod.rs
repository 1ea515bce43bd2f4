//! One value or more of everything that travels. A new method gets its examples in the file of its service.

#![allow(dead_code, reason = "each test uses some of it")]

mod admin;
mod announcement;
mod between;
mod friend;
mod group;
mod message;
mod user;

use broker_schemas::admin::{Applies, Rule, RuleBook, Then};
use broker_schemas::{
    ContentType, Conversation, Error, Event, Fact, GroupId, List, Method, Seq, SessionId, Text, Timestamp,
    UserId, id,
};
use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value in postcard and in JSON.
pub(crate) type Encoded = (Vec<u8>, String);

/// A value of a type that travels, in both encodings.
pub(crate) struct Example {
    /// Of the type, as in `support::wire_types`.
    pub(crate) name: String,
    /// What the value shows.
    pub(crate) case: &'static str,
    pub(crate) schema: &'static NamedType,
    pub(crate) postcard: Vec<u8>,
    pub(crate) json: String,
    /// Decodes the type, and encodes it again in both encodings.
    pub(crate) reread: fn(ContentType, &[u8]) -> Result<Encoded, Error>,
}

/// Every example, in the order of `support::wire_types` as far as people keep it.
pub(crate) fn examples() -> Vec<Example> {
    let services = [
        user::examples(),
        friend::examples(),
        group::examples(),
        message::examples(),
        announcement::examples(),
        admin::examples(),
    ];
    services.into_iter().flatten().chain(between::examples()).collect()
}

fn direct() -> Conversation {
    Conversation::direct(user_id(3), user_id(7)).unwrap()
}

fn in_group() -> Conversation {
    Conversation::group(group_id(id::MAX_ID))
}

fn then() -> Timestamp {
    Timestamp(1_767_225_600_123)
}

/// Rules of every kind, or none.
fn book(version: u64, full: bool) -> RuleBook {
    let rule =
        |applies, pattern, then, words| Rule { applies, pattern: text(pattern), then, words: text(words) };
    let rules = vec![
        rule(Applies::Names, "^adm[i1]n", Then::Refuse, "that would deceive"),
        rule(Applies::Texts, r"cheap\s+watches", Then::Report, "cheap \"watches\" ⌚"),
    ];
    RuleBook { version, rules: list(if full { rules } else { vec![] }) }
}

fn user_id(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn group_id(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

fn session_id(number: u64) -> SessionId {
    SessionId::new(number).unwrap()
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

fn list<T, const MAX: usize>(items: Vec<T>) -> List<T, MAX> {
    List::new(items).unwrap()
}

fn method<M: Method>(what: &str) -> String {
    format!("{}.v{}.{} {what}", M::SPEC.service, M::SPEC.version, M::SPEC.name)
}

fn request<M: Method>(case: &'static str, value: &M) -> Example {
    example(method::<M>("request"), case, value)
}

fn reply<M: Method>(case: &'static str, value: &M::Reply) -> Example {
    example(method::<M>("reply"), case, value)
}

fn event<E: Event + DeserializeOwned>(case: &'static str, value: &E) -> Example {
    example(format!("{} event", E::NAME), case, value)
}

fn fact<F: Fact>(case: &'static str, value: &F) -> Example {
    example(format!("{}.v1.{} fact", F::SERVICE, F::NAME), case, value)
}

fn other<T: Serialize + DeserializeOwned + Schema>(name: &str, case: &'static str, value: &T) -> Example {
    example(name.to_owned(), case, value)
}

fn example<T: Serialize + DeserializeOwned + Schema>(name: String, case: &'static str, value: &T) -> Example {
    let (postcard, json) = encode(value).unwrap();
    let reread = |codec: ContentType, bytes: &[u8]| encode(&codec.decode::<T>(bytes)?);
    Example { name, case, schema: T::SCHEMA, postcard, json, reread }
}

fn encode<T: Serialize>(value: &T) -> Result<Encoded, Error> {
    let json = ContentType::Json.encode(value)?;
    Ok((ContentType::Postcard.encode(value)?, String::from_utf8(json).unwrap()))
}
