//! One change of a group: locked, authorised, decided by a method's rule, stored.

use broker_schemas::group::Change;
use broker_schemas::{Error, GroupId, Timestamp, UserId};
use natter_host::Result;

use crate::authorise::{Allowed, Concerns, Grant};
use crate::store::{Locked, Outsider, Store};
use crate::{Module, Settings};

/// A method that changes a group, and the rule by which it does. There is no way to the rule but through the check of who
/// calls, which makes the [`Allowed`].
pub(crate) trait Rule: Concerns {
    /// Changes the group as asked, unless it is so already.
    fn apply(
        &self,
        allowed: &mut Allowed<Self>,
        limits: &Settings,
    ) -> impl Future<Output = Result<Applied>> + Send;

    /// What is left to do when the caller is answered that it is so already.
    fn apply_nothing(&self, _: &mut Allowed<Self>) -> impl Future<Output = Result<Applied>> + Send {
        async { Ok(Applied::Nothing) }
    }
}

/// What a rule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It is so already.
    Nothing,
    /// Something that isn't told in the group: who waits outside.
    Quietly,
    /// Something that the group's conversation has to show.
    Changed(Change),
}

/// What became of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) group: GroupId,
    /// The group's version now.
    pub(crate) version: u64,
    pub(crate) grant: Grant,
    pub(crate) applied: Applied,
}

impl Module {
    /// Counts a call that changes a group, and does it.
    pub(crate) async fn change<R: Rule>(&self, caller: UserId, request: &R) -> Result<Outcome> {
        self.changes.check(&caller, "you change groups faster than allowed")?;
        self.store.change(caller, request, &self.limits).await
    }
}

impl Store {
    /// Does `request` for `caller`, if they may; stores nothing when it is refused, or so already.
    pub(crate) async fn change<R: Rule>(
        &self,
        caller: UserId,
        request: &R,
        limits: &Settings,
    ) -> Result<Outcome> {
        let group = request.group();
        let Some(mut allowed) = self.authorise(caller, request).await? else {
            return Ok(Outcome { group, version: 0, grant: Grant::Nothing, applied: Applied::Nothing });
        };
        let grant = allowed.grant;
        let applied = match grant {
            Grant::Nothing => request.apply_nothing(&mut allowed).await?,
            Grant::May | Grant::MayAsk => request.apply(&mut allowed, limits).await?,
        };
        let mut locked = allowed.into_locked();
        let version = match &applied {
            Applied::Nothing => {
                let version = locked.group.version;
                locked.release().await?;
                version
            }
            Applied::Quietly => locked.store().await?,
            Applied::Changed(change) => {
                locked.record(caller, change).await?;
                locked.store().await?
            }
        };
        Ok(Outcome { group, version, grant, applied })
    }
}

impl Locked {
    /// Makes `user`, who isn't one, a member.
    ///
    /// # Errors
    /// When the group is full, when `user`, called `whose`, is in as many groups as one may be, or is gone.
    pub(crate) async fn take_in(&mut self, user: UserId, whose: &str, limits: &Settings) -> Result<Applied> {
        if self.group.members >= limits.max_members {
            let message = format!(
                "the group has {} members already; the limit is {}",
                self.group.members, limits.max_members
            );
            return Err(Error::conflict(message).into());
        }
        if self.groups_of(user).await? >= limits.max_groups {
            let message = format!("{whose} in {} groups already, which is the limit", limits.max_groups);
            return Err(Error::conflict(message).into());
        }
        self.check_not_departed(user).await?;
        self.add_member(user, Timestamp::now()).await?;
        Ok(Applied::Changed(Change::Joined { user }))
    }

    /// Notes that `user`, who is no member, asks to join.
    ///
    /// # Errors
    /// When too many do, or `user` is gone.
    pub(crate) async fn let_ask(&mut self, user: UserId, limits: &Settings) -> Result<Applied> {
        if self.count(Outsider::Asking).await? >= limits.max_asking {
            let message = format!("{} people ask to join already, which is the limit", limits.max_asking);
            return Err(Error::conflict(message).into());
        }
        self.check_not_departed(user).await?;
        self.add_outsider(user, Outsider::Asking, Timestamp::now()).await?;
        Ok(Applied::Quietly)
    }

    async fn check_not_departed(&mut self, user: UserId) -> Result<()> {
        if self.has_departed(user).await? {
            return Err(Error::not_found("there is no such user any more").into());
        }
        Ok(())
    }
}
