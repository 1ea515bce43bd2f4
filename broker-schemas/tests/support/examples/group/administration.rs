//! What staff and the administration do to groups.

use broker_schemas::group::{self, FoundMembers, MemberIds};
use broker_schemas::id;

use super::super::{Example, book, group_id, list, reply, request, then, user_id};
use super::done;

pub(super) fn examples() -> Vec<Example> {
    let group = group_id(9);
    vec![
        request("how many there are", &MemberIds { group, after: None, limit: 0 }),
        request("a later page", &MemberIds { group, after: Some(user_id(300)), limit: 1_024 }),
        reply::<MemberIds>("a count", &FoundMembers { users: vec![], count: Some(300) }),
        reply::<MemberIds>(
            "a page",
            &FoundMembers { users: vec![user_id(301), user_id(id::MAX_ID)], count: None },
        ),
        request("a group", &group::DissolveByStaff { group, by: user_id(3), spared: list(vec![]) }),
        request(
            "a group, by a moderator",
            &group::DissolveByStaff { group, by: user_id(3), spared: list(vec![user_id(1), user_id(300)]) },
        ),
        done::<group::DissolveByStaff>(),
        request("for a time", &group::SetSilence { user: user_id(7), until: Some(then()), version: 1 }),
        request("lifted", &group::SetSilence { user: user_id(7), until: None, version: u64::MAX }),
        done::<group::SetSilence>(),
        request("no rules", &group::SetRules { book: book(1, false) }),
        request("rules of every kind", &group::SetRules { book: book(300, true) }),
        done::<group::SetRules>(),
    ]
}
