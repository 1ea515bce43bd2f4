//! `group.create`: makes a group, with friends in it.

use std::collections::HashSet;
use std::time::Duration;

use broker_schemas::group::{Change, Create, Created};
use broker_schemas::{Error, List, SignedIn, Text, Timestamp, UserId};
use natter_host::{Call, Handle, Result, shown_name};

use crate::store::Founding;
use crate::{Checked, Module, Settings};

/// How long the friend module may take, so that there is time left to make the group and to answer.
const ASKING: Duration = Duration::from_secs(3);
/// How long the answer waits until the message module knows of the group.
const TELLING: Duration = Duration::from_secs(1);

impl Handle<Create> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Create) -> Result<Created> {
        let owner = call.caller.user();
        self.silences.check(owner).await?;
        let name = shown_name("name", &request.name)?;
        self.platform.check_not_its_own("name", &name)?;
        self.rules.current().check_name("name", &name)?;
        let members = request.members.map(List::into_inner).unwrap_or_default();
        check_members(owner, &members, &self.limits)?;
        // Each member has the group among the conversations until they leave it, also when it was dissolved at once: that is
        // bounded by nothing else.
        self.making.check(&owner, "you make groups faster than allowed")?;
        self.check_friends(&call.scope.within(ASKING), "members", owner, &members).await?;

        let change = Change::Created {
            name: Text::new(name.as_str()).map_err(Error::invalid)?,
            members: List::new(members.clone()).map_err(Error::invalid)?,
        };
        let founding = Founding {
            name: &name,
            admission: request.admission.unwrap_or_default(),
            visible: request.visible.unwrap_or_default(),
            owner,
            members: &members,
            change: &change,
            at: Timestamp::now(),
        };
        let group = self.store.found(&founding, &self.limits).await?;
        // Made once and for all: a second call would make a second group, so this one is answered whatever is down.
        self.tell_if_possible(&call.scope.within(TELLING), group, 1).await;
        Ok(Created { group })
    }
}

fn check_members(owner: UserId, members: &[UserId], limits: &Settings) -> Checked<()> {
    let most = usize::try_from(limits.max_members).unwrap_or(usize::MAX);
    if members.len() >= most {
        let others = most - 1;
        return Err(Error::invalid(format!(
            "members: expected at most {others} beside you, got {}",
            members.len()
        )));
    }
    let mut seen = HashSet::from([owner]);
    match members.iter().find(|member| !seen.insert(**member)) {
        Some(member) if *member == owner => Err(Error::invalid("members: you are one without being named")),
        Some(member) => Err(Error::invalid(format!("members: user {member} is named twice"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::group::tests::user;

    #[test]
    fn everybody_is_named_once_and_fits_in() {
        let limits = Settings { max_members: 3, ..Settings::default() };
        let check = |members: &[u64]| {
            check_members(user(1), &members.iter().copied().map(user).collect::<Vec<_>>(), &limits)
        };
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[2, 3]), Ok(()));
        for bad in [&[2, 3, 4][..], &[2, 2], &[1]] {
            assert_eq!(check(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
