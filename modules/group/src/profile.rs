//! `group.profile`: what a group is.

use broker_schemas::group::{GetProfile, Profile};
use broker_schemas::{SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::authorise::Seen;
use crate::group::in_force;

impl Handle<GetProfile> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: GetProfile) -> Result<Profile> {
        let seen = self.store.look(call.caller.user(), &request).await?;
        Ok(profile(seen, Timestamp::now()))
    }
}

fn profile(seen: Seen<GetProfile>, now: Timestamp) -> Profile {
    let Seen { group, role, .. } = seen;
    Profile {
        group: group.id,
        name: group.name,
        members: group.members,
        admission: group.admission,
        visible: group.visible,
        role,
        announcement: group.announcement.filter(|_| role.is_some()),
        muted_until: in_force(group.muted_until, now),
        dissolved: group.dissolved_at.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Text;
    use broker_schemas::group::{Admission, Announce, Dissolve, Mute};
    use broker_schemas::rights::Role;

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn a_stranger_sees_what_one_must_know_to_join_and_no_more() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Approval, &[2]).await;
            fixture.act(1, &Announce { group, text: Text::new("secret").unwrap() }).await;
            fixture.act(1, &Mute { group, user: None, until: Some(Timestamp(i64::MAX)) }).await;
            let see = async |number| {
                let seen = fixture.store.look(user(number), &GetProfile { group }).await.unwrap();
                profile(seen, Timestamp::now())
            };
            let (mine, theirs) = (see(2).await, see(3).await);
            assert_eq!(mine.announcement.as_ref().unwrap().text, "secret", "{}", fixture.database);
            assert_eq!(mine.role, Some(Role::Member), "{}", fixture.database);
            assert_eq!(mine.muted_until, Some(Timestamp(i64::MAX)), "{}", fixture.database);
            let expected = Profile { role: None, announcement: None, ..mine.clone() };
            assert_eq!(theirs, expected, "{}", fixture.database);
            fixture.act(1, &Dissolve { group }).await;
            assert_eq!(see(2).await, Profile { dissolved: true, ..mine }, "{}", fixture.database);
        }
    }
}
