//! `group.rename`: gives a group another name.

use broker_schemas::group::{Change, Rename};
use broker_schemas::{Done, Error, SignedIn, Text};
use natter_host::{Call, Handle, Result, shown_name};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings};

impl Handle<Rename> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Rename) -> Result<Done> {
        let caller = call.caller.user();
        self.silences.check(caller).await?;
        self.platform.check_not_its_own("name", &request.name)?;
        self.rules.current().check_name("name", &request.name)?;
        let outcome = self.change(caller, &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Rename {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let name = shown_name("name", &self.name)?;
        if allowed.group.name == name {
            return Ok(Applied::Nothing);
        }
        let change = Change::Renamed { name: Text::new(name.as_str()).map_err(Error::invalid)? };
        allowed.group.name = name;
        Ok(Applied::Changed(change))
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::Admission;

    use super::*;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn a_name_changes_once_and_keeps_the_rules() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[]).await;
            let rename = |name| Rename { group, name: Text::new(name).unwrap() };
            let renamed = Applied::Changed(Change::Renamed { name: Text::new("Wasps").unwrap() });
            assert_eq!(fixture.act(1, &rename("Wasps")).await, renamed, "{}", fixture.database);
            assert_eq!(fixture.act(1, &rename(" Wasps ")).await, Applied::Nothing, "{}", fixture.database);
            assert_eq!(fixture.refused(1, &rename(" ")).await, Code::Invalid, "{}", fixture.database);
            assert_eq!(fixture.store.group(group).await.unwrap().unwrap().name, "Wasps");
        }
    }
}
