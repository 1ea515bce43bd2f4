//! `message.change_group`: the group module says what happened to a group. Its changes are made here in their order, each
//! together with the notice of it, in one transaction.

use std::collections::BTreeSet;

use broker_schemas::delivery::Push;
use broker_schemas::group::{Change, Visible};
use broker_schemas::message::{ChangeGroup, Entry, GroupChanged, NewEvent};
use broker_schemas::rights::Role;
use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Delivery, Error, Part, Seq, Timestamp, UserId};
use natter_host::{Call, Handle, Result, Transaction, failpoint};

use crate::Module;
use crate::retry::retrying;
use crate::store::Store;

impl Handle<ChangeGroup> for Module {
    async fn handle(&self, _: &Call<Part>, request: ChangeGroup) -> Result<GroupChanged> {
        let notice = retrying(|| apply(&self.store, &request)).await?;
        let seq = notice.as_ref().map(|notice| notice.seq);
        if let Some(notice) = notice {
            let delivery = Delivery::ToMembers {
                version: request.version,
                joined_by: request.version,
                joined: joined(&request),
                left: left(&request),
                push: Push::of(&NewEvent(notice))?,
            };
            if let Err(error) = self.bus.deliver(Audience::Group(request.group), &delivery).await {
                // Edges see by the version of the next delivery that they missed this one.
                tracing::debug!(%error, group = %request.group, "change of a group not pushed");
            }
        }
        Ok(GroupChanged { seq })
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
        Due::Last => {
            let notice = Store::find_notice(&mut transaction, conversation, by, version).await?;
            // Whoever gets one that was reacted to since would see it without the reactions.
            return Ok(notice.filter(|notice| notice.revision == 0));
        }
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
        campaign: None,
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
    change_members(&mut transaction, conversation, by, change, now).await?;
    failpoint::commit(transaction, "message.change_group").await?;
    Ok(Some(notice))
}

/// What the change does beside making members.
async fn change_members(
    transaction: &mut Transaction,
    conversation: Conversation,
    by: UserId,
    change: &Change,
    now: Timestamp,
) -> Result<()> {
    match *change {
        Change::Created { .. } => Store::set_role(transaction, conversation, by, Role::Owner).await,
        Change::Left { user } | Change::Kicked { user } => {
            Store::remove_member(transaction, conversation, user, now).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Seat;
    use crate::plan::Outcome;
    use crate::react;
    use crate::testing::{
        alter, another_copy, change, code, draft, entries, group, say, send, seq, stores, user,
    };
    use broker_schemas::message::React;
    use broker_schemas::{Code, Text};
    use uuid::Uuid;

    const G: u64 = 9;

    async fn seat(store: &Store, number: u64) -> Option<Seat> {
        store.seat(user(number), "g9".parse().unwrap()).await.unwrap()
    }

    fn joined_by(number: u64) -> Change {
        Change::Joined { user: user(number) }
    }

    #[test]
    fn a_change_is_due_once_after_the_one_before_it() {
        let dissolved = Change::Dissolved {};
        assert_eq!(due(4, Some(3), &dissolved), Ok(Due::Now));
        assert_eq!(due(4, Some(4), &dissolved), Ok(Due::Last));
        assert_eq!(due(4, Some(5), &dissolved), Ok(Due::Past));
        assert_eq!(due(4, Some(2), &dissolved).unwrap_err().code, Code::Conflict);
        assert_eq!(due(4, None, &dissolved).unwrap_err().code, Code::Conflict);
        for (version, change) in [(0, joined_by(1)), (1, joined_by(1)), (u64::MAX, joined_by(1))] {
            assert_eq!(due(version, None, &change).unwrap_err().code, Code::Invalid);
        }
    }

    #[tokio::test]
    async fn a_notice_that_was_reacted_to_is_not_pushed_again_without_the_reaction() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1, 2]).await;
            let request = change(G, 2, 1, joined_by(3));
            let notice = apply(&store, &request).await.unwrap().unwrap();
            let reaction = Text::new("👍").unwrap();
            let reacted = React { conversation: there, seq: notice.seq, reaction, remove: None };
            react::apply(&store, user(2), &reacted, Timestamp::now()).await.unwrap();
            assert_eq!(apply(&store, &request).await.unwrap(), None, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn each_change_is_made_once_in_order_and_stands_in_the_conversation() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1, 2]).await;
            say(&store, there, 2, "hello").await;
            let request = change(G, 2, 1, Change::Kicked { user: user(2) });
            let early = change(G, 3, 1, joined_by(2));
            assert_eq!(code(apply(&store, &early).await), Code::Conflict, "{}", test.name);
            let notice = apply(&store, &request).await.unwrap().unwrap();
            // Repeated, it is pushed again and not made again; once there is a later one, not even pushed.
            let again = apply(&store, &request).await.unwrap().unwrap();
            assert_eq!(again, notice, "{}", test.name);
            alter(&store, G, 3, 1, joined_by(2)).await;
            assert_eq!(apply(&store, &request).await.unwrap(), None, "{}", test.name);
            assert!(seat(&store, 2).await.is_some(), "{}", test.name);
            let what: Vec<_> = entries(&store, there)
                .await
                .into_iter()
                .map(|entry| (entry.seq.get(), entry.notice, entry.client_id.is_some(), entry.from.get()))
                .collect();
            let created = Change::Created {
                name: Text::new("group").unwrap(),
                members: broker_schemas::List::new(vec![user(2)]).unwrap(),
            };
            let expected = [
                (1, Some(created), false, 1),
                (2, None, true, 2),
                (3, Some(Change::Kicked { user: user(2) }), false, 1),
                (4, Some(joined_by(2)), false, 1),
            ];
            assert_eq!(what, expected, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_joins_sees_what_follows_or_everything() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1]).await;
            say(&store, there, 1, "before").await;
            alter(&store, G, 2, 2, joined_by(2)).await;
            let everything = ChangeGroup { visible: Visible::Everything, ..change(G, 3, 3, joined_by(3)) };
            apply(&store, &everything).await.unwrap();
            let of = async |number| {
                let Seat { place, member, .. } = seat(&store, number).await.unwrap();
                (member.first_seq, member.read_seq, member.since, place.version, place.last_seq)
            };
            assert_eq!(of(1).await, (1, 0, 1, 3, 4), "{}", test.name);
            assert_eq!(of(2).await, (3, 2, 2, 3, 4), "{}", test.name);
            assert_eq!(of(3).await, (1, 3, 3, 3, 4), "{}", test.name);
            // Who comes back comes anew.
            alter(&store, G, 4, 2, Change::Left { user: user(2) }).await;
            assert_eq!(seat(&store, 2).await, None, "{}", test.name);
            alter(&store, G, 5, 2, joined_by(2)).await;
            assert_eq!(of(2).await, (6, 5, 5, 5, 6), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_leaves_and_comes_back_is_still_muted() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1, 2, 3]).await;
            let writes =
                async |number| matches!(send(&store, &draft(there, number, "x")).await, Outcome::Sent(_));
            let muted = |until| Change::Muted { user: Some(user(2)), until };
            alter(&store, G, 2, 1, muted(Some(Timestamp(i64::MAX)))).await;
            alter(&store, G, 3, 2, Change::Left { user: user(2) }).await;
            alter(&store, G, 4, 2, joined_by(2)).await;
            assert!(!writes(2).await, "{}: left", test.name);
            alter(&store, G, 5, 1, Change::Kicked { user: user(2) }).await;
            alter(&store, G, 6, 3, Change::Left { user: user(3) }).await;
            alter(&store, G, 7, 3, joined_by(3)).await;
            assert!(writes(3).await, "{}: nobody else", test.name);
            alter(&store, G, 8, 1, joined_by(2)).await;
            assert!(!writes(2).await, "{}: put out", test.name);
            alter(&store, G, 9, 1, muted(None)).await;
            alter(&store, G, 10, 2, Change::Left { user: user(2) }).await;
            alter(&store, G, 11, 2, joined_by(2)).await;
            assert!(writes(2).await, "{}: lifted", test.name);
        }
    }

    #[tokio::test]
    async fn roles_and_mutes_decide_who_writes() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1, 2, 3]).await;
            let far = Some(Timestamp(i64::MAX));
            let writes =
                async |number| matches!(send(&store, &draft(there, number, "x")).await, Outcome::Sent(_));
            let all = async || [writes(1).await, writes(2).await, writes(3).await];
            let role = async |number| seat(&store, number).await.unwrap().member.role;

            alter(&store, G, 2, 1, Change::Muted { user: Some(user(2)), until: far }).await;
            assert_eq!(all().await, [true, false, true], "{}", test.name);
            alter(&store, G, 3, 1, Change::RoleSet { user: user(2), role: Role::Administrator }).await;
            assert_eq!(all().await, [true, true, true], "{}: an administrator isn't muted", test.name);
            alter(&store, G, 4, 1, Change::Muted { user: None, until: far }).await;
            assert_eq!(all().await, [true, true, false], "{}", test.name);
            alter(&store, G, 5, 1, Change::Muted { user: None, until: None }).await;
            assert_eq!(all().await, [true, true, true], "{}", test.name);
            alter(&store, G, 6, 1, Change::Transferred { user: user(3) }).await;
            let roles = [role(1).await, role(2).await, role(3).await];
            assert_eq!(roles, [Role::Administrator, Role::Administrator, Role::Owner], "{}", test.name);
            alter(&store, G, 7, 3, Change::RoleSet { user: user(1), role: Role::Member }).await;
            assert_eq!(role(1).await, Role::Member, "{}", test.name);
            alter(&store, G, 8, 3, Change::Dissolved {}).await;
            assert_eq!(all().await, [false, false, false], "{}", test.name);
            alter(&store, G, 9, 3, Change::Left { user: user(2) }).await;
            assert_eq!(seat(&store, 2).await, None, "{}: one can still leave", test.name);
        }
    }

    #[tokio::test]
    async fn no_client_id_can_stand_in_the_way_of_a_notice() {
        for (store, test) in stores().await {
            let there = group(&store, G, &[1]).await;
            for client_id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(2)] {
                let sent = send(&store, &crate::plan::Draft { client_id, ..draft(there, 1, "x") }).await;
                assert!(matches!(sent, Outcome::Sent(_)), "{}", test.name);
            }
            alter(&store, G, 2, 1, joined_by(2)).await;
            assert!("g9/2".parse::<Uuid>().is_err());
        }
    }

    #[tokio::test]
    async fn copies_that_make_the_same_changes_make_each_once() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            let created = Change::Created {
                name: Text::new("g").unwrap(),
                members: broker_schemas::List::new((2..200).map(user).collect()).unwrap(),
            };
            let mut requests = vec![change(G, 1, 1, created)];
            requests.extend((2..20).map(|n| change(G, n, 1, Change::Kicked { user: user(n) })));
            for request in &requests {
                let once = || retrying(|| apply(&store, request));
                let twice = || retrying(|| apply(&other, request));
                let (a, b, c, d) = tokio::join!(once(), twice(), once(), twice());
                for result in [a, b, c, d] {
                    assert!(result.unwrap().is_some(), "{}", test.name);
                }
            }
            let notices = entries(&store, "g9".parse().unwrap()).await;
            let places: Vec<_> = notices.iter().map(|notice| notice.seq).collect();
            assert_eq!(places, (1..20).map(seq).collect::<Vec<_>>(), "{}", test.name);
            let place = seat(&store, 1).await.unwrap().place;
            assert_eq!((place.version, place.last_seq), (19, 19), "{}", test.name);
        }
    }

    #[test]
    fn a_delivery_names_who_came_and_who_went() {
        let members = broker_schemas::List::new([3, 1].map(user).to_vec()).unwrap();
        let created = change(G, 1, 2, Change::Created { name: Text::new("g").unwrap(), members });
        assert_eq!((joined(&created), left(&created)), ([1, 2, 3].map(user).to_vec(), vec![]));
        let came = change(G, 2, 2, joined_by(4));
        assert_eq!((joined(&came), left(&came)), (vec![user(4)], vec![]));
        for change in [
            change(G, 3, 4, Change::Left { user: user(4) }),
            change(G, 3, 1, Change::Kicked { user: user(4) }),
        ] {
            assert_eq!((joined(&change), left(&change)), (vec![], vec![user(4)]));
        }
    }
}
