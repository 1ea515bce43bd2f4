//! Tells friends who comes online and who goes.

use broker_schemas::friend::PresenceEvent;
use broker_schemas::user::PresenceChanged;
use natter_host::{Hear, Result};

use crate::Module;
use crate::store::Kind;

impl Hear<PresenceChanged> for Module {
    async fn hear(&self, fact: PresenceChanged) -> Result<()> {
        let event = PresenceEvent { user: fact.user, online: fact.online };
        let friends = self.store.list(fact.user, Kind::Friend).await?;
        self.push(friends.into_iter().map(|friend| friend.user), &event).await;
        Ok(())
    }
}
