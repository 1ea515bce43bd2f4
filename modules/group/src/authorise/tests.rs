//! The whole table, against the check, as everybody.

use std::collections::BTreeSet;

use broker_schemas::group::{
    Announce, Approve, Configure, Decline, Dissolve, GetProfile, Invite, Join, Kick, Leave, ListMembers,
    ListRequests, Mute, Rename, SetRole, Transfer, Unblock,
};
use broker_schemas::{Code, Text};

use super::*;
use crate::group::tests::user;
use crate::store::tests::{Fixture, fixtures, kick, mute, refusal, set_role};

type Decided = std::result::Result<Grant, Code>;

/// Who is what in [`everybody_in`].
const PEOPLE: [(u64, Standing); 6] = [
    (1, Standing::Owner),
    (2, Standing::Administrator),
    (3, Standing::Member),
    (4, Standing::Muted),
    (5, Standing::Stranger),
    (6, Standing::Blocked),
];

async fn everybody_in(fixture: &Fixture, admission: Admission) -> GroupId {
    let group = fixture.group(admission, &[2, 3, 4, 7]).await;
    fixture.act(1, &set_role(group, 2, Role::Administrator)).await;
    fixture.act(1, &mute(group, 4, Timestamp(i64::MAX))).await;
    fixture.act(1, &kick(group, 6, true)).await;
    group
}

/// What the check says, with and without a lock, which must be the same.
async fn check<R: Concerns>(fixture: &Fixture, caller: u64, request: R) -> (String, Decided) {
    let name = format!("{}.{}", R::SPEC.service, R::SPEC.name);
    let mut is_absent = false;
    let locked = match fixture.store.authorise(user(caller), &request).await {
        Ok(Some(allowed)) => Ok(allowed.grant),
        Ok(None) => {
            is_absent = true;
            Ok(Grant::Nothing)
        }
        Err(refused) => Err(refusal::<()>(Err(refused)).code),
    };
    let seen = fixture.store.look(user(caller), &request).await;
    let seen = seen.err().map(|refused| refusal::<()>(Err(refused)).code);
    if !is_absent {
        assert_eq!(locked.err(), seen, "{name} by {caller}");
    }
    (name, locked)
}

/// Every method about one group, of which the check is asked as `caller`.
async fn every_method(fixture: &Fixture, caller: u64, group: GroupId) -> Vec<(String, Decided)> {
    let user = user(7);
    let text = Text::new("hello").unwrap();
    vec![
        check(fixture, caller, Join { group }).await,
        check(fixture, caller, Leave { group }).await,
        check(fixture, caller, Invite { group, user }).await,
        check(fixture, caller, Approve { group, user }).await,
        check(fixture, caller, Decline { group, user }).await,
        check(fixture, caller, Kick { group, user, block: None }).await,
        check(fixture, caller, Unblock { group, user }).await,
        check(fixture, caller, Dissolve { group }).await,
        check(fixture, caller, Transfer { group, user }).await,
        check(fixture, caller, SetRole { group, user, role: Role::Administrator }).await,
        check(fixture, caller, Mute { group, user: None, until: None }).await,
        check(fixture, caller, Announce { group, text }).await,
        check(fixture, caller, Rename { group, name: Text::new("Wasps").unwrap() }).await,
        check(fixture, caller, Configure { group, admission: None, visible: None }).await,
        check(fixture, caller, GetProfile { group }).await,
        check(fixture, caller, ListMembers { group, after: None, limit: None }).await,
        check(fixture, caller, ListRequests { group }).await,
    ]
}

fn expected(verdict: Verdict, admission: Admission) -> Decided {
    let (open, by_approval) = (admission == Admission::Open, admission == Admission::Approval);
    match verdict {
        Verdict::May => Ok(Grant::May),
        Verdict::MayIfOpen => {
            if open {
                Ok(Grant::May)
            } else {
                Err(Code::Forbidden)
            }
        }
        Verdict::MayJoin if open => Ok(Grant::May),
        Verdict::MayJoin => {
            if by_approval {
                Ok(Grant::MayAsk)
            } else {
                Err(Code::NotFound)
            }
        }
        Verdict::MayIfListed => {
            if open || by_approval {
                Ok(Grant::May)
            } else {
                Err(Code::NotFound)
            }
        }
        Verdict::Forbidden => Err(Code::Forbidden),
        Verdict::NotFound => Err(Code::NotFound),
        Verdict::Nothing => Ok(Grant::Nothing),
    }
}

#[tokio::test]
async fn every_method_is_decided_as_the_table_says_for_everybody() {
    for fixture in fixtures().await {
        let mut tried = BTreeSet::new();
        for admission in [Admission::Open, Admission::Approval, Admission::Invitation] {
            let group = everybody_in(&fixture, admission).await;
            for (caller, standing) in PEOPLE {
                let being = fixture.being(group, caller).await;
                let there = fixture.store.group(group).await.unwrap().unwrap();
                assert_eq!(being.standing(&there, Timestamp::now()), standing, "{caller}");
                for (method, decided) in every_method(&fixture, caller, group).await {
                    let verdict = rights::verdict(&method, standing).unwrap();
                    let context = format!("{}: {method} by {standing:?}, {admission:?}", fixture.database);
                    assert_eq!(decided, expected(verdict, admission), "{context}");
                    tried.insert(method);
                }
            }
        }
        let rows = rights::RIGHTS.iter().map(|(name, _)| (*name).to_owned());
        let rows: BTreeSet<_> = rows.filter(|name| name.starts_with("group.")).collect();
        assert_eq!(tried, rows, "every row of the table is tried");
    }
}

#[tokio::test]
async fn everybody_in_a_muted_group_is_muted_but_the_owner_and_the_administrators() {
    for fixture in fixtures().await {
        let group = everybody_in(&fixture, Admission::Open).await;
        fixture.act(2, &Mute { group, user: None, until: Some(Timestamp(i64::MAX)) }).await;
        let there = fixture.store.group(group).await.unwrap().unwrap();
        let now = Timestamp::now();
        assert_eq!(fixture.being(group, 3).await.standing(&there, now), Standing::Muted);
        assert_eq!(fixture.being(group, 2).await.standing(&there, now), Standing::Administrator);
        assert_eq!(fixture.being(group, 1).await.standing(&there, now), Standing::Owner);
    }
}

#[tokio::test]
async fn of_a_dissolved_group_members_may_only_see_what_it_was_and_take_their_leave() {
    for fixture in fixtures().await {
        let group = everybody_in(&fixture, Admission::Open).await;
        fixture.act(1, &Dissolve { group }).await;
        for (caller, standing) in PEOPLE {
            for (method, decided) in every_method(&fixture, caller, group).await {
                let outside = matches!(standing, Standing::Stranger | Standing::Blocked);
                let expected = match &*method {
                    "group.leave" if outside => Ok(Grant::Nothing),
                    "group.profile" if outside => Err(Code::NotFound),
                    "group.leave" | "group.profile" => Ok(Grant::May),
                    "group.dissolve" if standing == Standing::Owner => Ok(Grant::Nothing),
                    _ if outside => Err(Code::NotFound),
                    _ => Err(Code::Conflict),
                };
                assert_eq!(decided, expected, "{}: {method} by {standing:?}", fixture.database);
            }
        }
    }
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_like_one_that_a_stranger_may_not_know() {
    for fixture in fixtures().await {
        let group = everybody_in(&fixture, Admission::Invitation).await;
        let hidden = every_method(&fixture, 5, group).await;
        let absent = every_method(&fixture, 5, GroupId::new(4_711).unwrap()).await;
        assert_eq!(hidden, absent, "{}", fixture.database);
    }
}
