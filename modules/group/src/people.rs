//! Who the users are, as the user module says.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::user::{LOOKUP_MAX, Lookup, Profile};
use broker_schemas::{Error, List, UserId};
use natter_host::Scope;

use crate::{Checked, Module};

/// How long an answer waits for names that it can do without.
const PATIENCE: Duration = Duration::from_secs(1);

/// Profiles by user.
#[derive(Debug, Default)]
pub(crate) struct People {
    profiles: HashMap<UserId, Profile>,
    /// Whether whoever is not among them doesn't exist.
    pub(crate) are_all: bool,
}

impl People {
    /// The user's profile, with the id in place of a name that could not be had.
    pub(crate) fn get_or_nameless(&self, user: UserId) -> Profile {
        self.profiles.get(&user).cloned().unwrap_or_else(|| Profile {
            user,
            name: user.to_string(),
            display_name: user.to_string(),
            online: false,
        })
    }

    /// Whether the user module says that the user doesn't exist.
    pub(crate) fn knows_gone(&self, user: UserId) -> bool {
        self.are_all && !self.profiles.contains_key(&user)
    }
}

impl Module {
    /// Those of `users` that exist, or nobody when the user module doesn't answer.
    pub(crate) async fn people_if_possible(&self, scope: &Scope, users: &[UserId]) -> People {
        self.people(&scope.within(PATIENCE), users).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "names not fetched");
            People::default()
        })
    }

    pub(crate) async fn people(&self, scope: &Scope, users: &[UserId]) -> Checked<People> {
        let mut profiles = HashMap::with_capacity(users.len());
        for chunk in users.chunks(LOOKUP_MAX) {
            let users = List::new(chunk.to_vec()).map_err(Error::invalid)?;
            let found = self.bus.call(scope, &Lookup { users }).await?;
            profiles.extend(found.profiles.into_iter().map(|profile| (profile.user, profile)));
        }
        Ok(People { profiles, are_all: true })
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
        People { profiles: names.iter().map(profile).collect(), are_all: true }
    }

    #[test]
    fn a_user_without_a_name_is_called_by_the_id() {
        let user = UserId::new(7).unwrap();
        assert_eq!(people(&[(7, "alice")]).get_or_nameless(user).name, "alice");
        assert_eq!(people(&[]).get_or_nameless(user).name, "7");
    }

    #[test]
    fn nobody_is_gone_while_the_user_module_is_away() {
        let user = UserId::new(7).unwrap();
        assert!(people(&[]).knows_gone(user));
        assert!(!People::default().knows_gone(user));
    }
}
