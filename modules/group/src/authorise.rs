//! Who may do what: the one place that decides, by the table in [`broker_schemas::rights`].
//!
//! A rule that changes a group takes an [`Allowed`], and one that shows something of it a [`Seen`]; both name the method,
//! and only the check here makes them.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use broker_schemas::group::Admission;
use broker_schemas::rights::{self, Role, Standing, Verdict};
use broker_schemas::{Error, GroupId, Method, SignedIn, Timestamp, UserId, group};
use natter_host::Result;

use crate::Checked;
use crate::group::{Being, Group};
use crate::store::{Locked, Store};

/// A request about one group.
pub(crate) trait Concerns: Method<Caller = SignedIn> {
    /// Which group.
    fn group(&self) -> GroupId;

    /// What a member may do once the group was dissolved; nothing, unless the method says otherwise.
    fn when_dissolved(_: Role) -> Option<Grant> {
        None
    }

    /// Whether `caller` has done this already, and may therefore not do it any more: for a repeated call.
    fn was_done(&self, _: &Group, _: UserId) -> bool {
        false
    }
}

macro_rules! concerns {
    ($($request:ident)*) => {$(
        impl Concerns for group::$request {
            fn group(&self) -> GroupId {
                self.group
            }
        }
    )*};
}

concerns! {
    Join Invite Approve Decline Kick Unblock SetRole Mute Announce Rename Configure GetProfile ListMembers ListRequests
}

impl Concerns for group::Leave {
    fn group(&self) -> GroupId {
        self.group
    }

    fn when_dissolved(_: Role) -> Option<Grant> {
        Some(Grant::May)
    }
}

impl Concerns for group::Dissolve {
    fn group(&self) -> GroupId {
        self.group
    }

    fn when_dissolved(role: Role) -> Option<Grant> {
        (role == Role::Owner).then_some(Grant::Nothing)
    }
}

impl Concerns for group::Transfer {
    fn group(&self) -> GroupId {
        self.group
    }

    fn was_done(&self, group: &Group, caller: UserId) -> bool {
        group.passed_on == Some((caller, self.user))
    }
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    /// What the method says.
    May,
    /// Ask to join.
    MayAsk,
    /// Be told that it is so already.
    Nothing,
}

/// That the caller may do `R`, to a group that nobody else changes meanwhile.
pub(crate) struct Allowed<R> {
    locked: Locked,
    pub(crate) caller: UserId,
    pub(crate) role: Option<Role>,
    pub(crate) grant: Grant,
    method: PhantomData<fn(R)>,
}

impl<R> Allowed<R> {
    /// Gives up the proof for what comes after the rule: storing what it changed.
    pub(crate) fn into_locked(self) -> Locked {
        self.locked
    }
}

impl<R> Deref for Allowed<R> {
    type Target = Locked;

    fn deref(&self) -> &Locked {
        &self.locked
    }
}

impl<R> DerefMut for Allowed<R> {
    fn deref_mut(&mut self) -> &mut Locked {
        &mut self.locked
    }
}

/// That the caller might do `R` to the group a moment ago.
pub(crate) struct Seen<R> {
    pub(crate) group: Group,
    pub(crate) role: Option<Role>,
    method: PhantomData<fn(R)>,
}

impl Store {
    /// Locks the group that `request` is about, for `caller` to do it. `None`: there is no such group, and nothing to do.
    ///
    /// # Errors
    /// The refusal that the table of rights has for the caller.
    pub(crate) async fn authorise<R: Concerns>(
        &self,
        caller: UserId,
        request: &R,
    ) -> Result<Option<Allowed<R>>> {
        let Some(mut locked) = self.lock(request.group()).await? else {
            return Ok(decide_without_group::<R>().map(|()| None)?);
        };
        let being = locked.being(caller).await?;
        let grant = decide(request, caller, &locked.group, being)?;
        Ok(Some(Allowed { locked, caller, role: being.role(), grant, method: PhantomData }))
    }

    /// Looks at the group that `request` is about, for `caller` to do what changes nothing.
    ///
    /// # Errors
    /// The refusal that the table of rights has for the caller.
    pub(crate) async fn look<R: Concerns>(&self, caller: UserId, request: &R) -> Result<Seen<R>> {
        let Some(group) = self.group(request.group()).await? else { return Err(no_such_group().into()) };
        let being = self.being(group.id, caller).await?;
        decide(request, caller, &group, being)?;
        Ok(Seen { group, role: being.role(), method: PhantomData })
    }
}

fn decide<R: Concerns>(request: &R, caller: UserId, group: &Group, being: Being) -> Checked<Grant> {
    if group.dissolved_at.is_some() {
        return match being.role() {
            Some(role) => R::when_dissolved(role).ok_or_else(|| Error::conflict("the group was dissolved")),
            None => decide_without_group::<R>().map(|()| Grant::Nothing),
        };
    }
    let standing = being.standing(group, Timestamp::now());
    let admission = group.admission;
    match verdict::<R>(standing)? {
        Verdict::May => Ok(Grant::May),
        Verdict::Nothing => Ok(Grant::Nothing),
        Verdict::MayIfOpen if admission == Admission::Open => Ok(Grant::May),
        Verdict::MayJoin if admission == Admission::Open => Ok(Grant::May),
        Verdict::MayJoin if admission == Admission::Approval => Ok(Grant::MayAsk),
        Verdict::MayIfListed if admission != Admission::Invitation => Ok(Grant::May),
        // A group that takes nobody but by invitation isn't shown to who isn't in it.
        Verdict::MayJoin | Verdict::MayIfListed | Verdict::NotFound => Err(no_such_group()),
        Verdict::Forbidden if request.was_done(group, caller) => Ok(Grant::Nothing),
        Verdict::MayIfOpen | Verdict::Forbidden => Err(forbidden::<R>(standing)?),
    }
}

/// What is said about a group that doesn't exist: the same as about one that a stranger may not know of.
fn decide_without_group<R: Method>() -> Checked<()> {
    match verdict::<R>(Standing::Stranger)? {
        Verdict::Nothing => Ok(()),
        _ => Err(no_such_group()),
    }
}

/// # Errors
/// A method without a row is one that nobody may use; a test of the contract rules it out.
fn verdict<R: Method>(standing: Standing) -> Checked<Verdict> {
    let name = format!("{}.{}", R::SPEC.service, R::SPEC.name);
    rights::verdict(&name, standing).ok_or_else(|| {
        tracing::error!(method = name, "the table of rights has no row for it");
        Error::internal()
    })
}

fn forbidden<R: Method>(standing: Standing) -> Checked<Error> {
    let words = match (standing, verdict::<R>(Standing::Administrator)?) {
        (Standing::Owner, _) => "you own the group: transfer it to a member first, or dissolve it",
        (_, Verdict::May) => "group: only the owner and the administrators may do this",
        _ => "group: only the owner may do this",
    };
    Ok(Error::forbidden(words))
}

fn no_such_group() -> Error {
    Error::not_found("group: you are in no such group, and can't join one")
}

#[cfg(test)]
mod tests {
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
                        let context =
                            format!("{}: {method} by {standing:?}, {admission:?}", fixture.database);
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
    async fn of_a_dissolved_group_members_may_only_take_their_leave() {
        for fixture in fixtures().await {
            let group = everybody_in(&fixture, Admission::Open).await;
            fixture.act(1, &Dissolve { group }).await;
            for (caller, standing) in PEOPLE {
                for (method, decided) in every_method(&fixture, caller, group).await {
                    let outside = matches!(standing, Standing::Stranger | Standing::Blocked);
                    let expected = match &*method {
                        "group.leave" if outside => Ok(Grant::Nothing),
                        "group.leave" => Ok(Grant::May),
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
}
