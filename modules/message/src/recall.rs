//! `message.recall`: erases what a message said. Its place stays.

use std::time::Duration;

use broker_schemas::message::{Changed, Recall, RecalledEvent};
use broker_schemas::rights::Role;
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::change::Applied;
use crate::retry::retrying;
use crate::store::{Store, Target};

impl Handle<Recall> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Recall) -> Result<Changed> {
        let user = call.caller.user();
        self.limits.check_change(user)?;
        let within = self.settings.recall_within();
        let applied = retrying(|| apply(&self.store, user, &request, within, Timestamp::now())).await?;
        Ok(self.finish(request.conversation, applied).await)
    }
}

async fn apply(
    store: &Store,
    user: UserId,
    request: &Recall,
    within: Duration,
    now: Timestamp,
) -> Result<Applied<RecalledEvent>> {
    let Recall { conversation, seq } = *request;
    let mut transaction = store.begin().await?;
    let target = store.target(&mut transaction, user, conversation, seq).await?;
    let sender = Store::role_of(&mut transaction, target.entry.from, conversation).await?;
    check(&target, user, sender, within, now)?;
    if target.entry.recalled_by.is_some() {
        return Ok(Applied::Already(target.entry.revision));
    }
    store.erase(&mut transaction, &target.entry, user).await?;
    Store::revise(&mut transaction, &target).await?;
    let version = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = RecalledEvent { conversation, seq, revision, by: user };
    Ok(Applied::Now { revision, version, event })
}

/// `sender` is what the sender of the message is now, if still a member.
fn check(
    target: &Target,
    user: UserId,
    sender: Option<Role>,
    within: Duration,
    now: Timestamp,
) -> std::result::Result<(), Error> {
    let Target { seat, entry } = target;
    if entry.notice.is_some() {
        return Err(Error::forbidden("seq: nobody wrote this, so nobody can recall it"));
    }
    let leads = seat.conversation.group_id().is_some() && seat.member.role != Role::Member;
    let is_own = entry.from == user;
    let is_of_member = leads && matches!(sender, None | Some(Role::Member));
    if !is_own && !is_of_member {
        return Err(Error::forbidden(match leads {
            true => "seq: you can't recall what the owner or another administrator said",
            false => "seq: you can recall your own messages only",
        }));
    }
    if !leads && entry.recalled_by.is_none() && now > entry.sent_at.after(within) {
        return Err(Error::forbidden(format!(
            "seq: a message can be recalled for {} s only",
            within.as_secs()
        )));
    }
    Ok(())
}
