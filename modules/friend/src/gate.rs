//! `friend.gate`: whether two users may write to each other.

use broker_schemas::Part;
use broker_schemas::friend::{Gate, GetGate};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::relation::Pair;

impl Handle<GetGate> for Module {
    async fn handle(&self, _: &Call<Part>, request: GetGate) -> Result<Gate> {
        self.store.gate(Pair::new(request.a, request.b)?).await
    }
}
