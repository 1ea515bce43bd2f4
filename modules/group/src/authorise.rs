//! Who may do what: the one place that decides, by the table in [`broker_schemas::rights`].
//!
//! A rule that changes a group takes an [`Allowed`], and one that shows something of it a [`Seen`]; both name the method,
//! and only the check here makes them.

#[cfg(test)]
mod tests;

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
    Join Invite Approve Decline Kick Unblock SetRole Mute Announce Rename Configure ListMembers ListRequests
}

impl Concerns for group::GetProfile {
    fn group(&self) -> GroupId {
        self.group
    }

    fn when_dissolved(_: Role) -> Option<Grant> {
        Some(Grant::May)
    }
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
