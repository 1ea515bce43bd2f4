//! Methods that the next steps replace.

use broker_schemas::group::*;
use broker_schemas::{Done, Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<MemberIds> for Module {
    async fn handle(&self, _: &Call<Part>, _: MemberIds) -> Result<FoundMembers> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<DissolveByStaff> for Module {
    async fn handle(&self, _: &Call<Part>, _: DissolveByStaff) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetRules) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}
