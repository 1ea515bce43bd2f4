//! Who the users are, as the user module says.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::user::{LOOKUP_MAX, Lookup, Profile};
use broker_schemas::{Error, List, UserId};
use natter_host::Scope;

use crate::Module;
use crate::relation::Pair;

/// How long an answer waits for names that it can do without.
const PATIENCE: Duration = Duration::from_secs(1);

/// Profiles by user.
#[derive(Debug, Default)]
pub(crate) struct People(HashMap<UserId, Profile>);

impl People {
    pub(crate) fn get(&self, user: UserId) -> Option<&Profile> {
        self.0.get(&user)
    }

    /// The user's profile, with the id in place of a name that could not be had.
    pub(crate) fn get_or_nameless(&self, user: UserId) -> Profile {
        self.get(user).cloned().unwrap_or_else(|| Profile {
            user,
            name: user.to_string(),
            display_name: user.to_string(),
            online: false,
        })
    }
}

impl Module {
    /// Those of `users` that exist.
    pub(crate) async fn people(&self, scope: &Scope, users: &[UserId]) -> Result<People, Error> {
        let mut people = HashMap::with_capacity(users.len());
        for chunk in users.chunks(LOOKUP_MAX) {
            let users = List::new(chunk.to_vec()).map_err(Error::invalid)?;
            let found = self.bus.call(scope, &Lookup { users }).await?;
            people.extend(found.profiles.into_iter().map(|profile| (profile.user, profile)));
        }
        Ok(People(people))
    }

    /// The two of `pair`, or nobody: for what is worth telling without names.
    pub(crate) async fn people_if_possible(&self, scope: &Scope, pair: Pair) -> People {
        self.people(&scope.within(PATIENCE), &[pair.me, pair.other]).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "names not fetched");
            People::default()
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn people(names: &[(u64, &str)]) -> People {
        let profile = |&(user, name): &(u64, &str)| {
            let user = UserId::new(user).unwrap();
            (user, Profile { user, name: name.into(), display_name: name.into(), online: true })
        };
        People(names.iter().map(profile).collect())
    }

    #[test]
    fn a_user_without_a_name_is_called_by_the_id() {
        let user = UserId::new(7).unwrap();
        assert_eq!(people(&[(7, "alice")]).get_or_nameless(user).name, "alice");
        assert_eq!(people(&[]).get_or_nameless(user).name, "7");
    }
}
