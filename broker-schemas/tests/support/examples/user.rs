//! Examples of the user service.

mod administration;

use broker_schemas::user::{self, Profile};
use broker_schemas::{Code, Done, EdgeId, Fetched, id};

use super::{
    Example, event, fact, friend, group, list, message, reply, request, session_id, text, then, user_id,
};

pub(super) fn examples() -> Vec<Example> {
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
                groups: Fetched::Available(vec![]),
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
    .into_iter()
    .chain(administration::examples())
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
        friends: Fetched::Available(friend::friends()),
        groups: Fetched::Available(group::entries()),
        unread: Fetched::Available(message::standings()),
    }
}

fn lonely_session() -> user::Session {
    let message = "nobody serves it".to_owned();
    user::Session {
        friends: Fetched::Unavailable { code: Code::Unavailable, message: message.clone() },
        groups: Fetched::Unavailable { code: Code::Internal, message: message.clone() },
        unread: Fetched::Unavailable { code: Code::Timeout, message },
        ..session()
    }
}

fn profile(number: u64, name: &str, online: bool) -> Profile {
    Profile { user: user_id(number), name: name.into(), display_name: name.to_uppercase(), online }
}
