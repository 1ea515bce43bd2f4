//! `message.react`: adds a reaction to a message, or takes one's own away.

use broker_schemas::message::{Changed, REACTION_BYTES, REACTIONS_MAX, React, ReactedEvent};
use broker_schemas::{Error, SignedIn, Timestamp, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::change::Applied;
use crate::retry::retrying;
use crate::store::Store;

/// How many reactions to one message a user may have.
const OWN_MAX: usize = 8;

impl Handle<React> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: React) -> Result<Changed> {
        check_reaction(&request.reaction)?;
        let user = call.caller.user();
        self.limits.check_change(user)?;
        let applied = retrying(|| apply(&self.store, user, &request, Timestamp::now())).await?;
        Ok(self.finish(request.conversation, applied).await)
    }
}

fn check_reaction(reaction: &str) -> std::result::Result<(), Error> {
    if reaction.is_empty() || reaction.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(format!(
            "reaction: expected 1 to {REACTION_BYTES} bytes without white space, such as an emoji"
        )));
    }
    Ok(())
}

async fn apply(
    store: &Store,
    user: UserId,
    request: &React,
    now: Timestamp,
) -> Result<Applied<ReactedEvent>> {
    let React { conversation, seq, ref reaction, remove } = *request;
    let removed = remove.unwrap_or(false);
    let mut transaction = store.begin().await?;
    let target = store.target(&mut transaction, user, conversation, seq).await?;
    target.seat.check_may_write(now)?;
    if target.entry.recalled_by.is_some() && !removed {
        return Err(Error::conflict("seq: the message was recalled").into());
    }
    let there = Store::reactions(&mut transaction, conversation, seq, user).await?;
    let has = there.iter().any(|(other, mine)| *mine && **other == **reaction);
    if has != removed {
        return Ok(Applied::Already(target.entry.revision));
    }
    if removed {
        Store::remove_reaction(&mut transaction, conversation, seq, user, reaction).await?;
    } else {
        check_room(&there, reaction)?;
        let revision = target.next_revision();
        Store::add_reaction(&mut transaction, conversation, seq, user, reaction, revision).await?;
    }
    Store::revise(&mut transaction, &target).await?;
    let version = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = ReactedEvent { conversation, seq, revision, user, reaction: reaction.to_string(), removed };
    Ok(Applied::Now { revision, version, event })
}

/// Whether one more reaction fits beside those that are `there`, each with whether it is one's own too.
fn check_room(there: &[(String, bool)], reaction: &str) -> std::result::Result<(), Error> {
    if there.iter().filter(|(_, mine)| *mine).count() >= OWN_MAX {
        return Err(Error::conflict(format!(
            "reaction: you have {OWN_MAX} to this message, which is the most"
        )));
    }
    let is_new = !there.iter().any(|(other, _)| other == reaction);
    if is_new && there.len() >= REACTIONS_MAX {
        return Err(Error::conflict(format!(
            "reaction: the message has {REACTIONS_MAX} different ones, which is the most"
        )));
    }
    Ok(())
}
