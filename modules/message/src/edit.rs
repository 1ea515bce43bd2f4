//! `message.edit`: another wording for a text that one sent.

use std::time::Duration;

use broker_schemas::message::{Changed, Edit, EditedEvent};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::change::Applied;
use crate::retry::retrying;
use crate::send::check_text;
use crate::store::{Store, Target};

impl Handle<Edit> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Edit) -> Result<Changed> {
        if request.text.is_empty() {
            return Err(Error::invalid("text: expected 1 to 16384 bytes, got none").into());
        }
        check_text(&request.text)?;
        let user = call.caller.user();
        self.limits.check_change(user)?;
        let within = self.settings.edit_within();
        let applied = retrying(|| apply(&self.store, user, &request, within, Timestamp::now())).await?;
        Ok(self.finish(request.conversation, applied).await)
    }
}

async fn apply(
    store: &Store,
    user: UserId,
    request: &Edit,
    within: Duration,
    now: Timestamp,
) -> Result<Applied<EditedEvent>> {
    let Edit { conversation, seq, ref text } = *request;
    let mut transaction = store.begin().await?;
    let target = store.target(&mut transaction, user, conversation, seq).await?;
    check(&target, user, within, now, text)?;
    if target.entry.text == **text {
        return Ok(Applied::Already(target.entry.revision));
    }
    store.rewrite(&mut transaction, &target.entry, text, now).await?;
    Store::revise(&mut transaction, &target).await?;
    let version = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = EditedEvent { conversation, seq, revision, text: text.to_string(), edited_at: now };
    Ok(Applied::Now { revision, version, event })
}

fn check(
    target: &Target,
    user: UserId,
    within: Duration,
    now: Timestamp,
    text: &str,
) -> std::result::Result<(), Error> {
    let Target { seat, entry } = target;
    seat.check_may_write(now)?;
    if entry.from != user || entry.notice.is_some() {
        return Err(Error::forbidden("seq: you can edit your own messages only"));
    }
    if entry.recalled_by.is_some() {
        return Err(Error::conflict("seq: the message was recalled"));
    }
    if entry.text.is_empty() {
        return Err(Error::forbidden("seq: the message has no text to edit"));
    }
    if entry.text != text && now > entry.sent_at.after(within) {
        return Err(Error::forbidden(format!(
            "seq: a message can be edited for {} s only",
            within.as_secs()
        )));
    }
    Ok(())
}
