//! Methods that the next steps replace.

use broker_schemas::user::*;
use broker_schemas::{Done, Error, Part, SignedIn};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Report> for Module {
    async fn handle(&self, _: &Call<SignedIn>, _: Report) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetRole> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetRole) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<ListStaff> for Module {
    async fn handle(&self, _: &Call<Part>, _: ListStaff) -> Result<Staff> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetBan> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetBan) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<EndSessions> for Module {
    async fn handle(&self, _: &Call<Part>, _: EndSessions) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<FindUsers> for Module {
    async fn handle(&self, _: &Call<Part>, _: FindUsers) -> Result<FoundUsers> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SystemAccount> for Module {
    async fn handle(&self, _: &Call<Part>, _: SystemAccount) -> Result<Registered> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<GetCensus> for Module {
    async fn handle(&self, _: &Call<Part>, _: GetCensus) -> Result<Census> {
        Err(Error::unavailable("not there yet").into())
    }
}

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, _: SetRules) -> Result<Done> {
        Err(Error::unavailable("not there yet").into())
    }
}
