//! One value or more of everything that travels. A new method gets its examples here.

#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;

use broker_schemas::caller::Passport;
use broker_schemas::delivery::Attachment;
use broker_schemas::friend::{self, FriendEntry, RequestEntry};
use broker_schemas::message::{self, ConversationEntry, Entry, Recipient};
use broker_schemas::user::{self, Profile};
use broker_schemas::{
    Code, ContentType, Conversation, Delivery, Done, EdgeId, Error, Event, Fact, Fetched, GroupId, Identity,
    List, Map, Method, Role, Seq, SessionId, Text, Timestamp, UserId, id,
};
use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

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
    [user(), friend(), message(), between_modules()].into_iter().flatten().collect()
}

fn user() -> Vec<Example> {
    vec![
        request(
            "without a display name",
            &user::Register { name: text("alice"), password: text("correct horse"), display_name: None },
        ),
        request(
            "with a display name in Unicode",
            &user::Register {
                name: text("zoë"),
                password: text("пароль-密码-🔑"),
                display_name: Some(text("Zoë \"Z\" Ünal 🦉")),
            },
        ),
        reply::<user::Register>("the first user", &user::Registered { user: user_id(1) }),
        reply::<user::Register>("the largest id", &user::Registered { user: user_id(id::MAX_ID) }),
        request(
            "from an unnamed device",
            &user::Login { name: text("alice"), password: text("correct horse"), device: None },
        ),
        request(
            "from a named device",
            &user::Login {
                name: text("alice"),
                password: text("correct horse"),
                device: Some(text("phone")),
            },
        ),
        reply::<user::Login>("with friends and conversations", &session()),
        reply::<user::Login>("while the other services are away", &lonely_session()),
        reply::<user::Login>(
            "of a new user",
            &user::Session {
                friends: Fetched::Available(vec![]),
                unread: Fetched::Available(vec![]),
                ..session()
            },
        ),
        request("a token", &user::Resume { token: text("b7Zk0r_m4-QpX9aV2sYdTw") }),
        reply::<user::Resume>("with friends and conversations", &session()),
        reply::<user::Resume>("while the other services are away", &lonely_session()),
        request("nothing to say", &user::Logout {}),
        reply::<user::Logout>("done", &Done {}),
        request(
            "two passwords",
            &user::ChangePassword { old: text("correct horse"), new: text("battery staple") },
        ),
        reply::<user::ChangePassword>("done", &Done {}),
        request("the password", &user::DeleteAccount { password: text("correct horse") }),
        reply::<user::DeleteAccount>("done", &Done {}),
        request("a name", &user::SetDisplayName { display_name: text("Alice A.") }),
        reply::<user::SetDisplayName>("done", &Done {}),
        request("of oneself", &user::GetProfile { user: None }),
        request("of another user", &user::GetProfile { user: Some(user_id(7)) }),
        reply::<user::GetProfile>("online", &profile(3, "alice", true)),
        reply::<user::GetProfile>("offline", &profile(7, "bob", false)),
        request("a name", &user::Find { name: text("bob") }),
        request("an empty name", &user::Find { name: text("") }),
        reply::<user::Find>("found", &profile(7, "bob", false)),
        request("nobody", &user::Lookup { users: list(vec![]) }),
        request(
            "some users",
            &user::Lookup { users: list(vec![user_id(1), user_id(300), user_id(id::MAX_ID)]) },
        ),
        reply::<user::Lookup>("none of them exist", &user::Profiles { profiles: vec![] }),
        reply::<user::Lookup>(
            "two of them exist",
            &user::Profiles { profiles: vec![profile(3, "alice", true), profile(7, "bob", false)] },
        ),
        request("a passport", &user::Renew { passport: list(vec![0, 1, 127, 128, 255]) }),
        reply::<user::Renew>("done", &Done {}),
        request(
            "an idle edge",
            &user::ReportSessions { edge: EdgeId::new("e-1_A").unwrap(), closed: list(vec![]), open: 0 },
        ),
        request(
            "a busy edge",
            &user::ReportSessions {
                edge: EdgeId::new("abcdefghijklmnopqrstuvwxyz012345").unwrap(),
                closed: list(vec![session_id(41), session_id(id::MAX_ID)]),
                open: u32::MAX,
            },
        ),
        reply::<user::ReportSessions>("nothing to do", &user::Reported { renew_all: false }),
        reply::<user::ReportSessions>("it was given up", &user::Reported { renew_all: true }),
        event("somebody is gone", &user::Deleted { user: user_id(7) }),
        fact("came online", &user::PresenceChanged { user: user_id(7), online: true }),
        fact("went offline", &user::PresenceChanged { user: user_id(7), online: false }),
    ]
}

fn friend() -> Vec<Example> {
    vec![
        request("a user", &friend::Request { user: user_id(7) }),
        reply::<friend::Request>("asked", &friend::Requested { friends: false }),
        reply::<friend::Request>("both had asked", &friend::Requested { friends: true }),
        request("a user", &friend::Accept { user: user_id(3) }),
        reply::<friend::Accept>("done", &Done {}),
        request("a user", &friend::Decline { user: user_id(3) }),
        reply::<friend::Decline>("done", &Done {}),
        request("a user", &friend::Remove { user: user_id(7) }),
        reply::<friend::Remove>("done", &Done {}),
        request("a user", &friend::Block { user: user_id(7) }),
        reply::<friend::Block>("done", &Done {}),
        request("a user", &friend::Unblock { user: user_id(7) }),
        reply::<friend::Unblock>("done", &Done {}),
        request("nothing to say", &friend::ListFriends {}),
        reply::<friend::ListFriends>("nobody", &friend::Friends { friends: vec![] }),
        reply::<friend::ListFriends>("two friends", &friend::Friends { friends: friends() }),
        request("nothing to say", &friend::ListRequests {}),
        reply::<friend::ListRequests>(
            "nobody",
            &friend::Requests { incoming: vec![], outgoing: vec![], blocked: vec![] },
        ),
        reply::<friend::ListRequests>(
            "one of each",
            &friend::Requests {
                incoming: vec![request_entry(8, "carol")],
                outgoing: vec![request_entry(9, "dave")],
                blocked: vec![request_entry(10, "eve")],
            },
        ),
        request("two users", &friend::GetGate { a: user_id(3), b: user_id(7) }),
        reply::<friend::GetGate>("friends", &friend::Gate { open: true, version: 1 }),
        reply::<friend::GetGate>("never met", &friend::Gate { open: false, version: 0 }),
        reply::<friend::GetGate>("the largest version", &friend::Gate { open: true, version: u64::MAX }),
        request("a user", &friend::ForgetUser { user: user_id(7) }),
        reply::<friend::ForgetUser>("done", &Done {}),
        event(
            "asked",
            &friend::RequestedEvent { user: user_id(3), name: "alice".into(), display_name: "Alice".into() },
        ),
        event(
            "online",
            &friend::AcceptedEvent {
                user: user_id(7),
                name: "bob".into(),
                display_name: "Bob".into(),
                online: true,
            },
        ),
        event(
            "offline, named in Unicode",
            &friend::AcceptedEvent {
                user: user_id(7),
                name: "bob".into(),
                display_name: "Боб 🐻".into(),
                online: false,
            },
        ),
        event("a former friend", &friend::RemovedEvent { user: user_id(7) }),
        event("came online", &friend::PresenceEvent { user: user_id(7), online: true }),
        event("went offline", &friend::PresenceEvent { user: user_id(7), online: false }),
    ]
}

fn message() -> Vec<Example> {
    vec![
        request(
            "to a user",
            &message::Send {
                to: Recipient::User(user_id(7)),
                client_id: client_id(),
                text: text("Hello, Bob!"),
            },
        ),
        request(
            "to a group, in Unicode",
            &message::Send {
                to: Recipient::Group(GroupId::new(9).unwrap()),
                client_id: Uuid::max(),
                text: text("naïve — 你好\n\t\"🦉\" \u{7f}"),
            },
        ),
        request(
            "an empty text, for the module to refuse",
            &message::Send { to: Recipient::User(user_id(7)), client_id: Uuid::nil(), text: text("") },
        ),
        reply::<message::Send>(
            "in a direct conversation",
            &message::Sent { conversation: direct(), seq: seq(1), sent_at: then() },
        ),
        reply::<message::Send>(
            "in a group, the last there can be",
            &message::Sent {
                conversation: group(),
                seq: seq(id::MAX_ID),
                sent_at: Timestamp(id::MAX_ID.cast_signed()),
            },
        ),
        request("from the end", &message::History { conversation: direct(), before: None, limit: None }),
        request(
            "a page",
            &message::History { conversation: group(), before: Some(seq(51)), limit: Some(200) },
        ),
        reply::<message::History>("nothing", &message::Messages { messages: vec![] }),
        reply::<message::History>("a page", &message::Messages { messages: vec![entry(), group_entry()] }),
        request("of a client that has nothing", &message::Sync { have: Map::new(BTreeMap::new()).unwrap() }),
        request(
            "of a client that has something",
            &message::Sync { have: Map::new(BTreeMap::from([(direct(), 12), (group(), 0)])).unwrap() },
        ),
        reply::<message::Sync>("nothing", &message::Missed { messages: vec![], more: false }),
        reply::<message::Sync>(
            "a page, and more",
            &message::Missed { messages: vec![entry(), group_entry()], more: true },
        ),
        request("a direct conversation", &message::Read { conversation: direct(), seq: seq(12) }),
        request("a group", &message::Read { conversation: group(), seq: seq(128) }),
        reply::<message::Read>("done", &Done {}),
        request("nothing to say", &message::ListConversations {}),
        reply::<message::ListConversations>("none", &message::Conversations { conversations: vec![] }),
        reply::<message::ListConversations>(
            "two",
            &message::Conversations { conversations: conversations() },
        ),
        request(
            "opened",
            &message::SetGate { a: user_id(3), b: user_id(7), gate: friend::Gate { open: true, version: 1 } },
        ),
        reply::<message::SetGate>("done", &Done {}),
        request("a user", &message::ForgetUser { user: user_id(7) }),
        reply::<message::ForgetUser>("done", &Done {}),
        event("in a direct conversation", &message::NewEvent(entry())),
        event("in a group", &message::NewEvent(group_entry())),
        event(
            "in a direct conversation",
            &message::ReadEvent { conversation: direct(), user: user_id(7), seq: seq(12) },
        ),
        event("in a group", &message::ReadEvent { conversation: group(), user: user_id(7), seq: seq(128) }),
    ]
}

fn between_modules() -> Vec<Example> {
    let closed = |only: Option<u64>, except: Option<u64>| Delivery::Close {
        only: only.map(session_id),
        except: except.map(session_id),
        code: "password_changed".into(),
        message: "the password was changed".into(),
    };
    vec![
        other("Delivery", "an event", &Delivery::event(&user::Deleted { user: user_id(7) }).unwrap()),
        other("Delivery", "the end of every session", &closed(None, None)),
        other("Delivery", "the end of one session", &closed(Some(41), None)),
        other("Delivery", "the end of every other session", &closed(None, Some(41))),
        other(
            "Attachment",
            "of a user",
            &Attachment {
                identity: identity(vec![]),
                passport: vec![0, 1, 127, 128, 255],
                valid_for_ms: 300_000,
            },
        ),
        other(
            "Attachment",
            "of a user with every role",
            &Attachment { identity: identity(every_role()), passport: vec![], valid_for_ms: 0 },
        ),
        other("Passport", "of a user", &Passport { key: 1, identity: identity(vec![]), expires_at: then() }),
        other(
            "Passport",
            "of a user with every role, expired before 1970",
            &Passport { key: u32::MAX, identity: identity(every_role()), expires_at: Timestamp(-1) },
        ),
    ]
    .into_iter()
    .chain(Code::ALL.map(|code| {
        let friends = Fetched::Unavailable { code, message: String::new() };
        reply::<user::Login>(code.name(), &user::Session { friends, ..lonely_session() })
    }))
    .collect()
}

fn session() -> user::Session {
    user::Session {
        user: user_id(3),
        name: "alice".into(),
        display_name: "Alice".into(),
        session: session_id(41),
        token: "b7Zk0r_m4-QpX9aV2sYdTw".into(),
        expires_at: then(),
        friends: Fetched::Available(friends()),
        unread: Fetched::Available(conversations()),
    }
}

fn lonely_session() -> user::Session {
    let message = "nobody serves it".to_owned();
    user::Session {
        friends: Fetched::Unavailable { code: Code::Unavailable, message: message.clone() },
        unread: Fetched::Unavailable { code: Code::Timeout, message },
        ..session()
    }
}

fn friends() -> Vec<FriendEntry> {
    let entry = |number, name: &str, online| FriendEntry {
        user: user_id(number),
        name: name.into(),
        display_name: name.to_uppercase(),
        online,
        since: then(),
    };
    vec![entry(7, "bob", true), entry(id::MAX_ID, "zed", false)]
}

fn request_entry(number: u64, name: &str) -> RequestEntry {
    RequestEntry {
        user: user_id(number),
        name: name.into(),
        display_name: name.to_uppercase(),
        since: then(),
    }
}

fn conversations() -> Vec<ConversationEntry> {
    vec![
        ConversationEntry { conversation: direct(), last_seq: 12, read_seq: 10 },
        ConversationEntry { conversation: group(), last_seq: 0, read_seq: 0 },
    ]
}

fn entry() -> Entry {
    Entry {
        conversation: direct(),
        seq: seq(12),
        from: user_id(3),
        client_id: client_id(),
        text: "Hello, Bob!".into(),
        sent_at: then(),
    }
}

fn group_entry() -> Entry {
    Entry {
        conversation: group(),
        seq: seq(id::MAX_ID),
        from: user_id(id::MAX_ID),
        client_id: Uuid::max(),
        text: "naïve — 你好\n\t\"🦉\" \u{7f}".into(),
        sent_at: Timestamp(0),
    }
}

fn profile(number: u64, name: &str, online: bool) -> Profile {
    Profile { user: user_id(number), name: name.into(), display_name: name.to_uppercase(), online }
}

fn identity(roles: Vec<Role>) -> Identity {
    Identity { user: user_id(3), session: session_id(41), roles: list(roles) }
}

fn every_role() -> Vec<Role> {
    vec![Role::Operator, Role::Moderator, Role::Auditor]
}

fn direct() -> Conversation {
    Conversation::direct(user_id(3), user_id(7)).unwrap()
}

fn group() -> Conversation {
    Conversation::group(GroupId::new(id::MAX_ID).unwrap())
}

fn then() -> Timestamp {
    Timestamp(1_767_225_600_123)
}

fn client_id() -> Uuid {
    Uuid::from_u128(0x0190_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001)
}

fn user_id(number: u64) -> UserId {
    UserId::new(number).unwrap()
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
