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

pub(crate) async fn apply(
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
    Store::revise(&mut transaction, &target.entry, target.next_revision()).await?;
    let as_of = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    let revision = target.next_revision();
    let event = RecalledEvent { conversation, seq, revision, by: user };
    Ok(Applied::Now { revision, as_of, event })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::react;
    use crate::testing::{alter, code, draft, entries, fill, group, pair, say, send, seq, stores, user};
    use broker_schemas::group::Change;
    use broker_schemas::message::{Entry, Payload, React, Search};
    use broker_schemas::{Code, Conversation, Text};

    const WITHIN: Duration = Duration::from_secs(60);

    async fn recall(store: &Store, there: Conversation, at: u64, by: u64) -> Result<Applied<RecalledEvent>> {
        let request = Recall { conversation: there, seq: seq(at) };
        apply(store, user(by), &request, WITHIN, Timestamp::now()).await
    }

    async fn recall_late(
        store: &Store,
        there: Conversation,
        at: u64,
        by: u64,
    ) -> Result<Applied<RecalledEvent>> {
        let late = Timestamp::now().after(WITHIN * 2);
        apply(store, user(by), &Recall { conversation: there, seq: seq(at) }, WITHIN, late).await
    }

    #[tokio::test]
    async fn a_recalled_message_keeps_its_place_and_nothing_it_said() {
        for (store, test) in stores().await {
            let there = pair(1, 2);
            fill(&store, there, 1).await;
            let mut full = draft(there, 1, "secret");
            full.content.quote = Some(seq(1));
            full.content.mentions = vec![user(2)];
            let kind = Text::new("app/x").unwrap();
            full.content.payload = Some(Payload { kind, data: Text::new("secret").unwrap() });
            send(&store, &full).await;
            let reaction = Text::new("👍").unwrap();
            let reacted = React { conversation: there, seq: seq(2), reaction, remove: None };
            react::apply(&store, user(2), &reacted, Timestamp::now()).await.unwrap();

            let done = recall(&store, there, 2, 1).await.unwrap();
            assert!(matches!(done, Applied::Now { revision: 2, .. }), "{}", test.name);
            let Entry { text, quote, mentions, payload, recalled_by, revision, client_id, .. } =
                entries(&store, there).await.remove(1);
            assert_eq!((&*text, quote, mentions, payload), ("", None, vec![], None), "{}", test.name);
            assert_eq!((recalled_by, revision), (Some(user(1)), 2), "{}", test.name);
            assert_eq!(client_id, Some(full.client_id), "{}", test.name);
            let mut transaction = store.begin().await.unwrap();
            let there_still = Store::reactions(&mut transaction, there, seq(2), user(2)).await.unwrap();
            assert!(there_still.is_empty(), "{}", test.name);
            drop(transaction);
            let search =
                Search { text: Text::new("secret").unwrap(), conversation: None, limit: None, skip: None };
            let found = crate::search::find(&store, user(2), &search).await.unwrap();
            assert!(found.messages.is_empty(), "{}", test.name);
            let again = recall_late(&store, there, 2, 1).await.unwrap();
            assert!(matches!(again, Applied::Already(2)), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn one_recalls_ones_own_in_time_and_who_leads_a_group_any_members() {
        for (store, test) in stores().await {
            // 1 is the owner, 2 an administrator, 3 and 4 are members; 5 leaves.
            let there = group(&store, 9, &[1, 2, 3, 4, 5]).await;
            alter(&store, 9, 2, 1, Change::RoleSet { user: user(2), role: Role::Administrator }).await;
            for by in [1, 2, 3, 4, 5] {
                assert_eq!(say(&store, there, by, "x").await.get(), 2 + by);
            }
            alter(&store, 9, 3, 5, Change::Left { user: user(5) }).await;
            let can = async |at, by| match recall_late(&store, there, at, by).await {
                Ok(_) => true,
                refused => code(refused) != Code::Forbidden,
            };
            // Late: nobody's own any more, unless they lead.
            assert!(!can(5, 3).await, "{}", test.name);
            // Another's.
            assert!(!can(6, 3).await, "{}", test.name);
            assert!(!can(3, 3).await, "{}", test.name);
            assert!(!can(3, 2).await, "{}: the owner's", test.name);
            assert!(!can(4, 1).await, "{}: an administrator's", test.name);
            assert!(!can(1, 1).await, "{}: a notice", test.name);
            for (at, by) in [(6, 2), (7, 1), (3, 1), (4, 2)] {
                assert!(can(at, by).await, "{}: {by} recalls {at}", test.name);
            }
            recall(&store, there, 5, 3).await.unwrap();
            assert_eq!(code(recall(&store, there, 3, 5).await), Code::NotFound, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn the_muted_and_former_friends_can_still_take_back_what_they_said() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 2, "x").await;
            alter(&store, 9, 2, 1, Change::Muted { user: None, until: Some(Timestamp(i64::MAX)) }).await;
            recall(&store, there, 2, 2).await.unwrap();
            say(&store, there, 1, "x").await;
            alter(&store, 9, 3, 1, Change::Dissolved {}).await;
            recall(&store, there, 4, 1).await.unwrap();
            let direct = pair(1, 2);
            store.set_gate(direct, true, 1).await.unwrap();
            say(&store, direct, 1, "x").await;
            store.set_gate(direct, false, 2).await.unwrap();
            assert_eq!(code(recall(&store, direct, 1, 2).await), Code::Forbidden, "{}", test.name);
            recall(&store, direct, 1, 1).await.unwrap();
        }
    }
}
