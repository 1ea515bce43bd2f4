//! How campaigns reach the modules that know their recipients and that post to them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::admin::{Segment, Span, TEXT_BYTES};
use broker_schemas::group::MemberIds;
use broker_schemas::message::Post;
use broker_schemas::user::{FindUsers, LOOKUP_MAX, SystemAccount};
use broker_schemas::{Error, List, Text, UserId};
use natter_host::{Bus, Scope};
use tokio::sync::OnceCell;

use crate::Checked;

/// Users that are asked for at once.
const PAGE: u32 = 512;
/// Members that are counted at once.
const COUNTED: u32 = 1_024;
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
            Segment::All {} => self.find(&scope, FindUsers { after, ..everyone(PAGE) }).await,
            Segment::SignedUp(span) => {
                self.find(&scope, FindUsers { signed_up: *span, after, ..everyone(PAGE) }).await
            }
            Segment::LastSeen(span) => {
                self.find(&scope, FindUsers { last_seen: *span, after, ..everyone(PAGE) }).await
            }
            Segment::Group(group) => {
                let found = self.bus.call(&scope, &MemberIds { group: *group, after, limit: PAGE }).await?;
                self.among(&scope, found.users).await
            }
            Segment::Users(listed) => {
                let users = following(listed, after).take(PAGE as usize).collect();
                self.among(&scope, users).await
            }
        }
    }

    async fn post(&self, campaign: u64, text: &str, to: Vec<UserId>) -> Checked<()> {
        let scope = Scope::background(POST);
        if to.is_empty() {
            return Ok(());
        }
        let from = self.sender(&scope).await?;
        let to = List::new(to).map_err(Error::invalid)?;
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

    async fn find(&self, scope: &Scope, find: FindUsers) -> Checked<Page> {
        let users = self.bus.call(scope, &find).await?.users;
        Ok(Page { last: users.last().copied(), users })
    }

    /// Those of `users`, who are in order, to whom a campaign may be sent: who exist, aren't banned, and aren't the platform.
    async fn among(&self, scope: &Scope, users: Vec<UserId>) -> Checked<Page> {
        let last = users.last().copied();
        if users.is_empty() {
            return Ok(Page { users, last });
        }
        let among = Some(List::new(users).map_err(Error::invalid)?);
        let users = self.bus.call(scope, &FindUsers { among, ..everyone(PAGE) }).await?.users;
        Ok(Page { users, last })
    }

    /// To how many users a campaign to a segment would be sent now.
    pub(crate) async fn count(&self, scope: &Scope, segment: &Segment) -> Checked<u64> {
        match segment {
            Segment::All {} => self.count_found(scope, everyone(0)).await,
            Segment::SignedUp(span) => {
                self.count_found(scope, FindUsers { signed_up: *span, ..everyone(0) }).await
            }
            Segment::LastSeen(span) => {
                self.count_found(scope, FindUsers { last_seen: *span, ..everyone(0) }).await
            }
            Segment::Group(group) => {
                let (mut count, mut after) = (0, None);
                loop {
                    let page = MemberIds { group: *group, after, limit: COUNTED };
                    let users = self.bus.call(scope, &page).await?.users;
                    let Some(last) = users.last() else { return Ok(count) };
                    after = Some(*last);
                    count += self.count_among(scope, users).await?;
                }
            }
            Segment::Users(listed) => {
                let users: Vec<_> = following(listed, None).collect();
                let mut count = 0;
                for users in users.chunks(LOOKUP_MAX) {
                    count += self.count_among(scope, users.to_vec()).await?;
                }
                Ok(count)
            }
        }
    }

    async fn count_among(&self, scope: &Scope, users: Vec<UserId>) -> Checked<u64> {
        let among = Some(List::new(users).map_err(Error::invalid)?);
        self.count_found(scope, FindUsers { among, ..everyone(0) }).await
    }

    async fn count_found(&self, scope: &Scope, find: FindUsers) -> Checked<u64> {
        self.bus.call(scope, &find).await?.count.ok_or_else(|| {
            tracing::error!("no count in the answer to a question for one");
            Error::internal()
        })
    }
}

/// Who may be written to, up to `limit` at once; 0 for how many there are.
fn everyone(limit: u32) -> FindUsers {
    FindUsers { among: None, signed_up: Span::default(), last_seen: Span::default(), after: None, limit }
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
