//! `group.member_ids`: a page of a group's members, for who writes to all of them.

use broker_schemas::group::{FoundMembers, MemberIds};
use broker_schemas::{Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

/// The most members in one answer.
const PAGE_MAX: u32 = 1_024;

impl Handle<MemberIds> for Module {
    async fn handle(&self, _: &Call<Part>, request: MemberIds) -> Result<FoundMembers> {
        let MemberIds { group, after, limit } = request;
        if limit > PAGE_MAX {
            return Err(Error::invalid(format!("limit: expected 0 to {PAGE_MAX}, got {limit}")).into());
        }
        if self.store.group(group).await?.is_none() {
            return Err(Error::not_found("group: there is no such group").into());
        }
        if limit == 0 {
            let count = self.store.count_members(group, after).await?;
            return Ok(FoundMembers { users: Vec::new(), count: Some(count) });
        }
        let members = self.store.members(group, after, limit).await?;
        Ok(FoundMembers { users: members.into_iter().map(|(user, _)| user).collect(), count: None })
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::group::Admission;

    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn pages_of_a_group_have_each_member_once_and_are_counted() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &(2..=20).collect::<Vec<_>>()).await;
            fixture.group(Admission::Open, &[30]).await;
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let left = fixture.store.count_members(group, after).await.unwrap();
                let page = fixture.store.members(group, after, 7).await.unwrap();
                assert_eq!(left, 20 - all.len() as u64, "{}", fixture.database);
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                all.extend(page.into_iter().map(|(user, _)| user));
            }
            assert_eq!(all, (1..=20).map(user).collect::<Vec<_>>(), "{}", fixture.database);
        }
    }
}
