//! How campaigns reach the modules that know their recipients and that post to them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::admin::{Segment, Span, TEXT_BYTES};
use broker_schemas::group::MemberIds;
use broker_schemas::message::Post;
use broker_schemas::user::{FindUsers, LOOKUP_MAX, Lookup, SystemAccount};
use broker_schemas::{Error, List, Text, UserId};
use natter_host::{Bus, Scope};
use tokio::sync::OnceCell;

use crate::Checked;

/// Users that are asked for at once.
const PAGE: u32 = 512;
const ASK: Duration = Duration::from_secs(5);
const POST: Duration = Duration::from_secs(10);

/// The next users of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// By id.
    pub(crate) users: Vec<UserId>,
    /// The last user who was looked at, be it one of these or not; nobody when the segment is at its end.
    pub(crate) last: Option<UserId>,
}

/// What a campaign asks of other modules.
pub(crate) trait Courier: Send + Sync + 'static {
    /// The users of a segment with ids greater than `after`.
    fn page(&self, segment: &Segment, after: Option<UserId>) -> impl Future<Output = Checked<Page>> + Send;

    /// Posts a campaign's text to users. Who has it doesn't get it again.
    fn post(&self, campaign: u64, text: &str, to: Vec<UserId>) -> impl Future<Output = Checked<()>> + Send;
}

/// The modules on the bus.
#[derive(Debug, Clone)]
pub(crate) struct BusCourier {
    bus: Bus,
    /// The platform's own account, once it is known.
    sender: Arc<OnceCell<UserId>>,
}

impl Courier for BusCourier {
    async fn page(&self, segment: &Segment, after: Option<UserId>) -> Checked<Page> {
        let scope = Scope::background(ASK);
        match segment {
            Segment::All {} => self.find(&scope, Span::default(), Span::default(), after).await,
            Segment::SignedUp(span) => self.find(&scope, *span, Span::default(), after).await,
            Segment::LastSeen(span) => self.find(&scope, Span::default(), *span, after).await,
            Segment::Group(group) => {
                let found = self.bus.call(&scope, &MemberIds { group: *group, after, limit: PAGE }).await?;
                self.existing(&scope, found.users).await
            }
            Segment::Users(listed) => {
                let users = following(listed, after).take(PAGE as usize).collect();
                self.existing(&scope, users).await
            }
        }
    }

    async fn post(&self, campaign: u64, text: &str, to: Vec<UserId>) -> Checked<()> {
        let scope = Scope::background(POST);
        let from = self.sender(&scope).await?;
        let to = List::new(to.into_iter().filter(|user| *user != from).collect::<Vec<_>>());
        let to = to.map_err(Error::invalid)?;
        if to.is_empty() {
            return Ok(());
        }
        let text = Text::<TEXT_BYTES>::new(text).and_then(|text| Text::new(text.into_inner()));
        let post = Post { campaign, from, to, text: text.map_err(Error::invalid)? };
        self.bus.call(&scope, &post).await.map(drop)
    }
}

impl BusCourier {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, sender: Arc::default() }
    }

    async fn sender(&self, scope: &Scope) -> Checked<UserId> {
        let ask = async || Ok(self.bus.call(scope, &SystemAccount {}).await?.user);
        self.sender.get_or_try_init(ask).await.copied()
    }

    async fn find(
        &self,
        scope: &Scope,
        signed_up: Span,
        last_seen: Span,
        after: Option<UserId>,
    ) -> Checked<Page> {
        let find = FindUsers { signed_up, last_seen, after, limit: PAGE };
        let users = self.bus.call(scope, &find).await?.users;
        Ok(Page { last: users.last().copied(), users })
    }

    /// Those of `users` that exist.
    async fn existing(&self, scope: &Scope, users: Vec<UserId>) -> Checked<Page> {
        let last = users.last().copied();
        if users.is_empty() {
            return Ok(Page { users, last });
        }
        let users = List::new(users).map_err(Error::invalid)?;
        let found = self.bus.call(scope, &Lookup { users }).await?;
        let mut users: Vec<_> = found.profiles.into_iter().map(|profile| profile.user).collect();
        users.sort_unstable();
        Ok(Page { users, last })
    }

    /// How many users a segment has now.
    pub(crate) async fn count(&self, scope: &Scope, segment: &Segment) -> Checked<u64> {
        let find = |signed_up, last_seen| FindUsers { signed_up, last_seen, after: None, limit: 0 };
        let none = Span::default();
        let count = match segment {
            Segment::All {} => self.bus.call(scope, &find(none, none)).await?.count,
            Segment::SignedUp(span) => self.bus.call(scope, &find(*span, none)).await?.count,
            Segment::LastSeen(span) => self.bus.call(scope, &find(none, *span)).await?.count,
            Segment::Group(group) => {
                self.bus.call(scope, &MemberIds { group: *group, after: None, limit: 0 }).await?.count
            }
            Segment::Users(listed) => {
                let users: Vec<_> = following(listed, None).collect();
                let mut count = 0;
                for users in users.chunks(LOOKUP_MAX) {
                    count += self.existing(scope, users.to_vec()).await?.users.len() as u64;
                }
                Some(count)
            }
        };
        count.ok_or_else(|| {
            tracing::error!("no count in the answer to a question for one");
            Error::internal()
        })
    }
}

/// Who is in a list after a user, by id, each once.
fn following(listed: &[UserId], after: Option<UserId>) -> impl Iterator<Item = UserId> {
    let users: std::collections::BTreeSet<_> =
        listed.iter().copied().filter(|user| after.is_none_or(|after| *user > after)).collect();
    users.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_paged_by_id_and_has_everyone_once() {
        let user = |number| UserId::new(number).unwrap();
        let listed = [9, 3, 9, 5, 3].map(user);
        assert_eq!(following(&listed, None).collect::<Vec<_>>(), [3, 5, 9].map(user));
        assert_eq!(following(&listed, Some(user(3))).collect::<Vec<_>>(), [5, 9].map(user));
        assert_eq!(following(&listed, Some(user(9))).count(), 0);
    }
}
