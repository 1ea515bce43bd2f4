//! Methods that the next steps replace.

use broker_schemas::message::*;
use broker_schemas::{Done, Error, Part, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Received> for Module {
    async fn handle(&self, _: &Call<SignedIn>, _: Received) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<Report> for Module {
    async fn handle(&self, _: &Call<SignedIn>, _: Report) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<Post> for Module {
    async fn handle(&self, _: &Call<Part>, _: Post) -> Result<Posted> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<GetReach> for Module {
    async fn handle(&self, _: &Call<Part>, _: GetReach) -> Result<Reach> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<Remove> for Module {
    async fn handle(&self, _: &Call<Part>, _: Remove) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetSilence> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetSilence) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetRules) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}
