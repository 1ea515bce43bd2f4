//! What staff and the administration do to users.

use broker_schemas::admin::{EdgeSessions, Span};
use broker_schemas::caller::Role;
use broker_schemas::user::{self, Ban, Census, FindUsers, StaffMember};
use broker_schemas::{Done, EdgeId, Timestamp, id};

use super::super::{Example, book, list, reply, request, text, then, user_id};

pub(super) fn examples() -> Vec<Example> {
    [roles(), bans(), finding()].into_iter().flatten().collect()
}

fn roles() -> Vec<Example> {
    let member = |number, name: &str, roles: &[Role]| StaffMember {
        user: user_id(number),
        name: name.into(),
        roles: roles.to_vec(),
    };
    let mut examples: Vec<_> = Role::ALL
        .into_iter()
        .map(|role| request(role.name(), &user::SetRole { user: user_id(7), role, has: true }))
        .collect();
    examples.extend([
        request("taken", &user::SetRole { user: user_id(7), role: Role::Auditor, has: false }),
        reply::<user::SetRole>("done", &Done {}),
        request("a name", &user::Resolve { name: text("Bob") }),
        reply::<user::Resolve>("whose it is", &user::Registered { user: user_id(7) }),
        request("nothing to say", &user::ListStaff {}),
        reply::<user::ListStaff>("nobody", &user::Staff { members: vec![], system: None }),
        reply::<user::ListStaff>(
            "two",
            &user::Staff {
                members: vec![
                    member(3, "alice", &[Role::Operator]),
                    member(7, "bob", &[Role::Auditor, Role::Moderator]),
                ],
                system: Some(user_id(2)),
            },
        ),
    ]);
    examples
}

fn bans() -> Vec<Example> {
    let ban = |until| Some(Ban { reason: text("Sold \"cheap\" watches 🕰"), until });
    vec![
        request("for good", &user::SetBan { user: user_id(7), ban: ban(None) }),
        request("for a time", &user::SetBan { user: user_id(7), ban: ban(Some(then())) }),
        request("lifted", &user::SetBan { user: user_id(id::MAX_ID), ban: None }),
        reply::<user::SetBan>("done", &Done {}),
        request("a user", &user::EndSessions { user: user_id(7) }),
        reply::<user::EndSessions>("done", &Done {}),
        request("a user", &user::Report { user: user_id(7), reason: text("Insults me") }),
        reply::<user::Report>("done", &Done {}),
        request("for a time", &user::SetSilence { user: user_id(7), until: Some(then()), version: 1 }),
        request("lifted", &user::SetSilence { user: user_id(7), until: None, version: u64::MAX }),
        reply::<user::SetSilence>("done", &Done {}),
        request("no rules", &user::SetRules { book: book(1, false) }),
        request("rules of every kind", &user::SetRules { book: book(300, true) }),
        reply::<user::SetRules>("done", &Done {}),
    ]
}

fn finding() -> Vec<Example> {
    let span = |from: Option<i64>, to: Option<i64>| Span { from: from.map(Timestamp), to: to.map(Timestamp) };
    let open = Span::default();
    let sessions = |edge: &str, sessions| EdgeSessions { edge: EdgeId::new(edge).unwrap(), sessions };
    vec![
        request(
            "how many there are",
            &FindUsers { among: None, signed_up: open, last_seen: open, after: None, limit: 0 },
        ),
        request(
            "among some",
            &FindUsers {
                among: Some(list(vec![user_id(3), user_id(id::MAX_ID)])),
                signed_up: open,
                last_seen: open,
                after: None,
                limit: 1_024,
            },
        ),
        request(
            "a later page, in two times",
            &FindUsers {
                among: None,
                signed_up: span(Some(0), Some(1)),
                last_seen: span(Some(1), Some(then().0)),
                after: Some(user_id(300)),
                limit: 1_024,
            },
        ),
        reply::<FindUsers>("a count", &user::FoundUsers { users: vec![], count: Some(300) }),
        reply::<FindUsers>(
            "a page",
            &user::FoundUsers { users: vec![user_id(301), user_id(id::MAX_ID)], count: None },
        ),
        request("nothing to say", &user::SystemAccount {}),
        reply::<user::SystemAccount>("its id", &user::Registered { user: user_id(2) }),
        request("nothing to say", &user::GetCensus {}),
        reply::<user::GetCensus>("nobody", &Census { accounts: 0, online: 0, edges: vec![] }),
        reply::<user::GetCensus>(
            "two edges",
            &Census { accounts: 1_000, online: 300, edges: vec![sessions("e-1", 200), sessions("e-2", 128)] },
        ),
    ]
}
