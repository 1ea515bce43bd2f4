//! `message.change_group`: the group module says what happened to a group. Its changes are made here in their order, each
//! together with the notice of it, in one transaction.

use std::collections::BTreeSet;

use broker_schemas::delivery::Push;
use broker_schemas::group::{Change, Visible};
use broker_schemas::message::{ChangeGroup, Entry, NewEvent};
use broker_schemas::rights::Role;
use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Delivery, Done, Error, Part, Seq, Timestamp, UserId};
use natter_host::{Call, Handle, Result, Transaction};

use crate::Module;
use crate::retry::retrying;
use crate::store::Store;

impl Handle<ChangeGroup> for Module {
    async fn handle(&self, _: &Call<Part>, request: ChangeGroup) -> Result<Done> {
        let notice = retrying(|| apply(&self.store, &request)).await?;
        if let Some(notice) = notice {
            let delivery = Delivery::ToMembers {
                version: request.version,
                joined: joined(&request),
                left: left(&request),
                push: Push::of(&NewEvent(notice))?,
            };
            if let Err(error) = self.bus.deliver(Audience::Group(request.group), &delivery).await {
                // Edges see by the version of the next delivery that they missed this one.
                tracing::debug!(%error, group = %request.group, "change of a group not pushed");
            }
        }
        Ok(Done {})
    }
}

/// Makes the change, unless it was made already. Returns its notice, to be pushed: also when it is the last one and is
/// repeated, for the process that made it may have died before it pushed.
pub(crate) async fn apply(store: &Store, request: &ChangeGroup) -> Result<Option<Entry>> {
    let ChangeGroup { group, version, by, ref change, visible } = *request;
    let conversation = Conversation::group(group);
    let mut transaction = store.begin().await?;
    let place = store.lock(&mut transaction, &BTreeSet::from([conversation])).await?.remove(&conversation);
    match due(version, place.map(|place| place.version), change)? {
        Due::Now => {}
        Due::Last => return Store::find_notice(&mut transaction, conversation, by, version).await,
        Due::Past => return Ok(None),
    }
    if place.is_none() {
        Store::make_group(&mut transaction, conversation).await?;
    }
    let seq = place.map_or(0, |place| place.last_seq) + 1;
    let now = Timestamp::now();
    let notice = Entry {
        conversation,
        seq: Seq::new(seq)?,
        from: by,
        client_id: None,
        text: String::new(),
        sent_at: now,
        quote: None,
        mentions: Vec::new(),
        payload: None,
        notice: Some(change.clone()),
        edited_at: None,
        recalled_by: None,
        reactions: Vec::new(),
        revision: 0,
    };
    Store::set_version(&mut transaction, conversation, version, seq, now).await?;
    Store::insert_notice(&mut transaction, &notice, version).await?;
    let joined = joined(request);
    if !joined.is_empty() {
        let first_seq = match visible {
            Visible::FromJoining => seq,
            Visible::Everything => 1,
        };
        Store::add_members(&mut transaction, conversation, &joined, first_seq, seq, version).await?;
    }
    change_members(&mut transaction, conversation, by, change).await?;
    transaction.commit().await?;
    Ok(Some(notice))
}

/// What the change does beside making members.
async fn change_members(
    transaction: &mut Transaction,
    conversation: Conversation,
    by: UserId,
    change: &Change,
) -> Result<()> {
    match *change {
        Change::Created { .. } => Store::set_role(transaction, conversation, by, Role::Owner).await,
        Change::Left { user } | Change::Kicked { user } => {
            Store::remove_member(transaction, conversation, user).await
        }
        Change::Dissolved {} => Store::close_group(transaction, conversation).await,
        Change::Transferred { user } => {
            Store::depose_owner(transaction, conversation).await?;
            Store::set_role(transaction, conversation, user, Role::Owner).await
        }
        Change::RoleSet { user, role } => Store::set_role(transaction, conversation, user, role).await,
        Change::Muted { user, until } => {
            let until = until.unwrap_or(Timestamp(0));
            Store::set_mute(transaction, conversation, user, until).await
        }
        Change::Joined { .. }
        | Change::Announced { .. }
        | Change::Renamed { .. }
        | Change::Configured { .. } => Ok(()),
    }
}

/// Who becomes a member by the change.
fn joined(request: &ChangeGroup) -> Vec<UserId> {
    match &request.change {
        Change::Created { members, .. } => {
            let all: BTreeSet<_> = members.iter().copied().chain([request.by]).collect();
            all.into_iter().collect()
        }
        Change::Joined { user } => vec![*user],
        _ => Vec::new(),
    }
}

/// Who ceases to be a member by the change.
fn left(request: &ChangeGroup) -> Vec<UserId> {
    match &request.change {
        Change::Left { user } | Change::Kicked { user } => vec![*user],
        _ => Vec::new(),
    }
}

/// Whether a change is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It is the next one.
    Now,
    /// It is the one that was made last.
    Last,
    /// It was made before that.
    Past,
}

/// Compares a change's version with the one that is known, if the group is known at all.
fn due(version: u64, known: Option<u64>, change: &Change) -> std::result::Result<Due, Error> {
    let is_first = matches!(change, Change::Created { .. });
    if version == 0 || i64::try_from(version).is_err() || is_first != (version == 1) {
        return Err(Error::invalid("version: the first change of a group is 1, and makes it"));
    }
    let known = known.unwrap_or(0);
    match version.checked_sub(known) {
        None => Ok(Due::Past),
        Some(0) => Ok(Due::Last),
        Some(1) => Ok(Due::Now),
        Some(_) => Err(Error::conflict(format!("version: change {} comes first, got {version}", known + 1))),
    }
}
