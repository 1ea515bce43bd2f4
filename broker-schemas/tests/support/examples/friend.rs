//! Examples of the friend service.

use broker_schemas::friend::{self, FriendEntry, RequestEntry};
use broker_schemas::{Done, id};

use super::{Example, event, reply, request, then, user_id};

pub(super) fn examples() -> Vec<Example> {
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
        request("for a time", &friend::SetSilence { user: user_id(7), until: Some(then()), version: 1 }),
        request("lifted", &friend::SetSilence { user: user_id(7), until: None, version: u64::MAX }),
        reply::<friend::SetSilence>("done", &Done {}),
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

pub(super) fn friends() -> Vec<FriendEntry> {
    let entry = |number, name: &str, online| FriendEntry {
        user: user_id(number),
        name: name.into(),
        display_name: name.to_uppercase(),
        online,
        since: then(),
    };
    vec![entry(7, "bob", true), entry(id::MAX_ID, "zed", false)]
}

pub(super) fn request_entry(number: u64, name: &str) -> RequestEntry {
    RequestEntry {
        user: user_id(number),
        name: name.into(),
        display_name: name.to_uppercase(),
        since: then(),
    }
}
