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
    }
}
