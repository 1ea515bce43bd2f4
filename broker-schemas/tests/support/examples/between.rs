//! Examples of what modules and edges tell each other beside calls.

use broker_schemas::caller::Passport;
use broker_schemas::delivery::{Attachment, Beat, Pieces, Push, Spent};
use broker_schemas::{Delivery, Identity, Role, Timestamp, group, user};

use super::{Example, group_id, list, other, session_id, then, user_id};

pub(super) fn examples() -> Vec<Example> {
    let closed = |only: Option<u64>, except: Option<u64>| Delivery::Close {
        only: only.map(session_id),
        except: except.map(session_id),
        code: "password_changed".into(),
        message: "the password was changed".into(),
    };
    vec![
        other("Delivery", "an event", &Delivery::Event(push())),
        other("Delivery", "the end of every session", &closed(None, None)),
        other("Delivery", "the end of one session", &closed(Some(41), None)),
        other("Delivery", "the end of every other session", &closed(None, Some(41))),
        other(
            "Delivery",
            "an event to a group's members",
            &Delivery::ToMembers { version: 1, joined_by: 1, joined: vec![], left: vec![], push: push() },
        ),
        other(
            "Delivery",
            "an event to a group whose members have changed",
            &Delivery::ToMembers {
                version: u64::MAX,
                joined_by: 5,
                joined: vec![user_id(7), user_id(300)],
                left: vec![user_id(8)],
                push: push(),
            },
        ),
        other("Delivery", "a group to receive", &Delivery::Join { group: group_id(9), push: joined() }),
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
        other(
            "Spent",
            "of the budgets of two users",
            &Spent {
                by: u64::MAX,
                pieces: list(vec![
                    Pieces { key: vec![7], count: 1 },
                    Pieces { key: vec![172, 2], count: 300 },
                ]),
            },
        ),
        other(
            "Beat",
            "the third one of somebody",
            &Beat { by: u64::MAX, number: 3, deliveries: 300, lost: 1 },
        ),
        other("Passport", "of a user", &Passport { key: 1, identity: identity(vec![]), expires_at: then() }),
        other(
            "Passport",
            "of a user with every role, expired before 1970",
            &Passport { key: u32::MAX, identity: identity(every_role()), expires_at: Timestamp(-1) },
        ),
    ]
}

fn push() -> Push {
    Push::of(&user::Deleted { user: user_id(7) }).unwrap()
}

fn joined() -> Push {
    Push::of(&group::JoinedEvent {
        group: group_id(9),
        name: "Reading circle".into(),
        by: user_id(3),
        seq: None,
    })
    .unwrap()
}

fn identity(roles: Vec<Role>) -> Identity {
    Identity { user: user_id(3), session: session_id(41), roles: list(roles) }
}

fn every_role() -> Vec<Role> {
    vec![Role::Operator, Role::Moderator, Role::Auditor]
}
