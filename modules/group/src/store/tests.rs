//! What tests of this module stand on, and tests of the tables. Each runs once per database that there is.

use broker_schemas::group::{
    Admission, Change, Configure, Invite, Join, Kick, Leave, Mute, SetRole, Transfer, Visible,
};
use broker_schemas::rights::Role;
use broker_schemas::{Code, Error, GroupId, List, Text, Timestamp, UserId};
use natter_host::testing::{TestDatabase, databases};
use natter_host::{Failure, Result, Transaction};

use super::{Founding, MIGRATIONS, Outsider, Store};
use crate::Settings;
use crate::change::{Applied, Outcome, Rule};
use crate::group::Being;
use crate::group::tests::user;

/// Tables of a test's own.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) limits: Settings,
    pub(crate) database: &'static str,
    _test: TestDatabase,
}

pub(crate) async fn fixtures() -> Vec<Fixture> {
    let databases = databases("group", MIGRATIONS).await;
    let fixture = |test: TestDatabase| Fixture {
        store: Store::new(test.database.clone()),
        limits: Settings::default(),
        database: test.name,
        _test: test,
    };
    databases.into_iter().map(fixture).collect()
}

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Error {
    match result {
        Err(Failure::Refused(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

impl Fixture {
    /// A group of user 1, with `members`.
    pub(crate) async fn group(&self, admission: Admission, members: &[u64]) -> GroupId {
        self.try_group(1, admission, members).await.unwrap()
    }

    pub(crate) async fn try_group(
        &self,
        owner: u64,
        admission: Admission,
        members: &[u64],
    ) -> Result<GroupId> {
        let members: Vec<_> = members.iter().copied().map(user).collect();
        let change = Change::Created {
            name: Text::new("Bees").unwrap(),
            members: List::new(members.clone()).unwrap(),
        };
        let founding = Founding {
            name: "Bees",
            admission,
            visible: Visible::FromJoining,
            owner: user(owner),
            members: &members,
            change: &change,
            at: Timestamp::now(),
        };
        self.store.found(&founding, &self.limits).await
    }

    pub(crate) async fn try_act<R: Rule>(&self, caller: u64, request: &R) -> Result<Outcome> {
        self.store.change(user(caller), request, &self.limits).await
    }

    pub(crate) async fn act<R: Rule>(&self, caller: u64, request: &R) -> Applied {
        self.try_act(caller, request).await.unwrap().applied
    }

    pub(crate) async fn refused<R: Rule>(&self, caller: u64, request: &R) -> Code {
        refusal(self.try_act(caller, request).await).code
    }

    pub(crate) async fn being(&self, group: GroupId, number: u64) -> Being {
        self.store.being(group, user(number)).await.unwrap()
    }

    pub(crate) async fn role(&self, group: GroupId, number: u64) -> Option<Role> {
        self.being(group, number).await.role()
    }

    pub(crate) async fn members(&self, group: GroupId) -> Vec<u64> {
        let members = self.store.members(group, None, 1_000).await.unwrap();
        members.into_iter().map(|(user, _)| user.get()).collect()
    }

    pub(crate) async fn version(&self, group: GroupId) -> u64 {
        self.store.group(group).await.unwrap().unwrap().version
    }

    /// What was told of a group, as long as nothing of it was forgotten.
    pub(crate) async fn changes(&self, group: GroupId) -> Vec<Change> {
        let untold = self.store.untold(group, u64::MAX, 1_000).await.unwrap();
        untold.into_iter().map(|untold| untold.change.change).collect()
    }

    /// Holds a group against what must be true of every one at any time.
    pub(crate) async fn check(&self, id: GroupId) {
        let context = format!("{}, group {id}", self.database);
        let group = self.store.group(id).await.unwrap().unwrap();
        let members = self.store.members(id, None, 100_000).await.unwrap();
        assert_eq!(group.members as usize, members.len(), "{context}: members are counted");
        let owners = members.iter().filter(|(_, membership)| membership.role == Role::Owner).count();
        if group.dissolved_at.is_none() {
            assert_eq!(owners, 1, "{context}: one owner");
        }
        let untold = self.store.untold(id, u64::MAX, 100_000).await.unwrap();
        let versions: Vec<_> = untold.iter().map(|untold| untold.change.version).collect();
        assert_eq!(versions, (1..=group.version).collect::<Vec<_>>(), "{context}: versions have no gaps");
        for kind in [Outsider::Asking, Outsider::Blocked] {
            for outsider in self.store.outsiders(id, kind).await.unwrap() {
                let is_member = members.iter().any(|(user, _)| *user == outsider.user);
                assert!(!is_member, "{context}: who is in doesn't wait outside");
            }
        }
    }
}

impl Store {
    /// Keeps groups from being made until the transaction is over.
    pub(crate) async fn hold_counter(&self) -> Transaction {
        let mut transaction = self.database.begin().await.unwrap();
        sqlx::query("UPDATE counter SET last = last").execute(&mut *transaction).await.unwrap();
        transaction
    }
}

pub(crate) fn kick(group: GroupId, number: u64, block: bool) -> Kick {
    Kick { group, user: user(number), block: Some(block) }
}

pub(crate) fn set_role(group: GroupId, number: u64, role: Role) -> SetRole {
    SetRole { group, user: user(number), role }
}

pub(crate) fn mute(group: GroupId, number: u64, until: Timestamp) -> Mute {
    Mute { group, user: Some(user(number)), until: Some(until) }
}

fn code<T>(result: Result<T>) -> Option<Code> {
    match result {
        Ok(_) => None,
        Err(Failure::Refused(error)) => Some(error.code),
        Err(Failure::Broken(broken)) => panic!("{broken:?}"),
    }
}

#[tokio::test]
async fn the_last_place_is_taken_once() {
    for mut fixture in fixtures().await {
        fixture.limits.max_members = 3;
        for _ in 0..20 {
            let group = fixture.group(Admission::Open, &[2]).await;
            let join = Join { group };
            let (a, b, c) = tokio::join!(
                fixture.try_act(3, &join),
                fixture.try_act(4, &join),
                fixture.try_act(5, &join),
            );
            let codes = [code(a), code(b), code(c)];
            let refused = codes.iter().filter(|code| **code == Some(Code::Conflict)).count();
            assert_eq!(refused, 2, "{}: {codes:?}", fixture.database);
            fixture.check(group).await;
        }
    }
}

#[tokio::test]
async fn a_group_keeps_its_one_owner_when_the_new_one_leaves_meanwhile() {
    for fixture in fixtures().await {
        for _ in 0..20 {
            let group = fixture.group(Admission::Open, &[2]).await;
            let (transfer, leave) = (Transfer { group, user: user(2) }, Leave { group });
            let (transferred, left) = tokio::join!(fixture.try_act(1, &transfer), fixture.try_act(2, &leave));
            match (code(transferred), code(left)) {
                (None, Some(Code::Forbidden)) => {
                    assert_eq!(fixture.role(group, 2).await, Some(Role::Owner));
                    assert_eq!(fixture.role(group, 1).await, Some(Role::Administrator));
                }
                (Some(Code::NotFound), None) => assert_eq!(fixture.role(group, 1).await, Some(Role::Owner)),
                other => panic!("{}: {other:?}", fixture.database),
            }
            fixture.check(group).await;
        }
    }
}

#[tokio::test]
async fn an_administrator_is_not_kicked_by_another_who_saw_a_plain_member() {
    for fixture in fixtures().await {
        for _ in 0..20 {
            let group = fixture.group(Admission::Open, &[2, 3]).await;
            fixture.act(1, &set_role(group, 2, Role::Administrator)).await;
            let (kick, promote) = (kick(group, 3, true), set_role(group, 3, Role::Administrator));
            let (kicked, promoted) = tokio::join!(fixture.try_act(2, &kick), fixture.try_act(1, &promote));
            match (code(kicked), code(promoted)) {
                (None, Some(Code::NotFound)) => assert_eq!(fixture.being(group, 3).await, Being::Blocked),
                (Some(Code::Forbidden), None) => {
                    assert_eq!(fixture.role(group, 3).await, Some(Role::Administrator));
                }
                other => panic!("{}: {other:?}", fixture.database),
            }
            fixture.check(group).await;
        }
    }
}

#[tokio::test]
async fn many_changes_at_once_leave_versions_without_gaps() {
    for fixture in fixtures().await {
        let group = fixture.group(Admission::Open, &[2]).await;
        let joins = (10..40).map(|number| {
            let fixture = &fixture;
            async move {
                fixture.act(number, &Join { group }).await;
                if number % 2 == 0 {
                    fixture.act(number, &Leave { group }).await;
                }
            }
        });
        futures_util::future::join_all(joins).await;
        fixture.check(group).await;
        assert_eq!(fixture.version(group).await, 1 + 30 + 15, "{}", fixture.database);
    }
}

#[tokio::test]
async fn a_refused_change_leaves_no_trace() {
    for mut fixture in fixtures().await {
        fixture.limits.max_blocked = 1;
        let group = fixture.group(Admission::Approval, &[2, 3]).await;
        fixture.act(1, &kick(group, 9, true)).await;
        let before = fixture.store.group(group).await.unwrap();
        assert_eq!(fixture.refused(1, &kick(group, 3, true)).await, Code::Conflict);
        assert_eq!(fixture.refused(3, &kick(group, 2, false)).await, Code::Forbidden);
        assert_eq!(fixture.store.group(group).await.unwrap(), before, "{}", fixture.database);
        assert_eq!(fixture.role(group, 3).await, Some(Role::Member), "{}", fixture.database);
        fixture.check(group).await;
    }
}

#[tokio::test]
async fn the_outbox_is_read_in_order_and_page_by_page_until_it_is_forgotten() {
    for fixture in fixtures().await {
        let (first, second) =
            (fixture.group(Admission::Open, &[]).await, fixture.group(Admission::Open, &[]).await);
        for number in 2..6 {
            fixture.act(number, &Join { group: first }).await;
        }
        let store = &fixture.store;
        let heads = async |last, limit| {
            let heads = store.heads(last, limit).await.unwrap();
            heads.into_iter().map(|head| (head.group, head.version)).collect::<Vec<_>>()
        };
        assert_eq!(heads(None, 1).await, [(first, 1)], "{}", fixture.database);
        assert_eq!(heads(Some(first), 9).await, [(second, 1)], "{}", fixture.database);
        let page = store.untold(first, 4, 3).await.unwrap();
        let versions: Vec<_> = page.iter().map(|untold| untold.change.version).collect();
        assert_eq!(versions, [1, 2, 3], "{}", fixture.database);
        assert_eq!(page[1].change.change, Change::Joined { user: user(2) });
        assert_eq!((page[1].change.by, &*page[1].name), (user(2), "Bees"));
        for untold in &page {
            store.forget(&untold.change).await.unwrap();
        }
        let rest = store.untold(first, 4, 3).await.unwrap();
        assert_eq!(rest.len(), 1, "{}: only up to the version that was asked for", fixture.database);
        assert_eq!(rest[0].change.version, 4);
        assert_eq!(heads(None, 9).await, [(first, 4), (second, 1)], "{}", fixture.database);
    }
}

#[tokio::test]
async fn one_copy_at_a_time_tells_a_change() {
    for fixture in fixtures().await {
        let group = fixture.group(Admission::Open, &[]).await;
        fixture.act(2, &Join { group }).await;
        let maker = &fixture.store;
        let others = [Store::new(maker.database.clone()), Store::new(maker.database.clone())];
        let head = maker.heads(None, 9).await.unwrap()[0];
        assert!(maker.is_ours(head.teller), "{}", fixture.database);
        assert!(!others.iter().any(|other| other.is_ours(head.teller)), "{}", fixture.database);
        let (a, b) = tokio::join!(others[0].take_over(head), others[1].take_over(head));
        assert_eq!(
            [a.unwrap(), b.unwrap()].iter().filter(|taken| **taken).count(),
            1,
            "{}",
            fixture.database
        );
        // With all that the first one had to tell of the group.
        let untold = maker.untold(group, u64::MAX, 9).await.unwrap();
        assert_eq!(untold.len(), 2);
        assert_ne!(untold[0].teller, head.teller, "{}", fixture.database);
        assert_eq!(untold[0].teller, untold[1].teller, "{}", fixture.database);
        assert!(!maker.take_over(head).await.unwrap(), "{}: it comes too late", fixture.database);
    }
}

#[tokio::test]
async fn a_change_is_told_with_what_new_members_saw_then() {
    for fixture in fixtures().await {
        let group = fixture.group(Admission::Open, &[]).await;
        fixture.act(2, &Join { group }).await;
        let visible = Some(Visible::Everything);
        fixture.act(1, &Configure { group, admission: None, visible }).await;
        fixture.act(3, &Join { group }).await;
        let untold = fixture.store.untold(group, u64::MAX, 9).await.unwrap();
        let visible: Vec<_> = untold.iter().map(|untold| untold.change.visible).collect();
        let (from_joining, everything) = (Visible::FromJoining, Visible::Everything);
        assert_eq!(visible, [from_joining, from_joining, everything, everything], "{}", fixture.database);
    }
}

#[tokio::test]
async fn a_group_of_a_thousand_is_made_at_once_and_read_page_by_page() {
    for fixture in fixtures().await {
        let members: Vec<_> = (2..=1_000).collect();
        let group = fixture.group(Admission::Open, &members).await;
        fixture.check(group).await;
        let mut seen = Vec::new();
        loop {
            let page = fixture.store.members(group, seen.last().copied(), 300).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|(user, _)| user));
        }
        assert_eq!(seen, (1..=1_000).map(user).collect::<Vec<UserId>>(), "{}", fixture.database);
        assert_eq!(fixture.store.administrators(group).await.unwrap(), [user(1)], "{}", fixture.database);
    }
}

#[tokio::test]
async fn nobody_is_in_more_groups_than_allowed_by_whatever_way() {
    for mut fixture in fixtures().await {
        fixture.limits.max_groups = 2;
        let open = fixture.group(Admission::Open, &[2]).await;
        let other = fixture.group(Admission::Approval, &[2]).await;
        let more = fixture.try_group(3, Admission::Open, &[]).await.unwrap();
        assert_eq!(fixture.refused(2, &Join { group: more }).await, Code::Conflict);
        let error = refusal(fixture.try_group(1, Admission::Open, &[]).await);
        assert_eq!(error.code, Code::Conflict);
        let error = refusal(fixture.try_group(3, Admission::Open, &[4, 2]).await);
        assert!(error.message.contains("members: user 2 is in 2 groups"), "{error}");
        assert_eq!(fixture.refused(3, &Invite { group: more, user: user(2) }).await, Code::Conflict);

        // A group that ended doesn't count.
        fixture.act(1, &broker_schemas::group::Dissolve { group: other }).await;
        fixture.act(2, &Join { group: more }).await;
        let listed = fixture.store.groups_of(user(2)).await.unwrap();
        let groups: Vec<_> = listed.iter().map(|listed| listed.group).collect();
        assert_eq!(groups, [open, more], "{}", fixture.database);
    }
}
