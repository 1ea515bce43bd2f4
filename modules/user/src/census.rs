//! `user.census`: how many accounts there are, how many are online, and on which edges.

use broker_schemas::Part;
use broker_schemas::user::{Census, GetCensus};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<GetCensus> for Module {
    async fn handle(&self, _: &Call<Part>, _: GetCensus) -> Result<Census> {
        self.store.census().await
    }
}
