//! `admin.mute`: keeps a user from saying anything to others, until a moment.

use broker_schemas::admin::Mute;
use broker_schemas::user::Lookup;
use broker_schemas::{
    Done, Error, List, Moderator, Outcome, Service, Timestamp, UserId, friend, group, message, user,
};
use natter_host::{Call, Handle, Result, Scope};

use crate::horizon::check_kept_until;
use crate::{Checked, Module};

impl Handle<Mute> for Module {
    async fn handle(&self, call: &Call<Moderator>, request: Mute) -> Result<Done> {
        let user = request.user;
        self.audited(call, &request, Some(user), async {
            let now = Timestamp::now();
            self.check_target(call, user).await?;
            let until = request.until.filter(|until| *until > now);
            until.map_or(Ok(()), |until| check_kept_until("until", until, now))?;
            // Those who are told don't know who exists. Whoever can be silenced can be let speak again also when the account is
            // gone.
            if until.is_some() {
                let users = List::new(vec![user]).map_err(Error::invalid)?;
                let found = self.bus.call(&call.scope, &Lookup { users }).await?;
                if found.profiles.is_empty() {
                    return Err(Error::not_found("there is no such user").into());
                }
            }
            let version = self.store.next_mute(now).await?;
            // Four calls at once: large, and rarely made.
            Ok(Box::pin(self.silence(&call.scope, user, until, version)).await?)
        })
        .await
    }
}

impl Module {
    /// Tells every module through which one says something to others, at once. Whatever two moderators do at the same time,
    /// they all end with the one of the greater version.
    async fn silence(
        &self,
        scope: &Scope,
        user: UserId,
        until: Option<Timestamp>,
        version: u64,
    ) -> Checked<Done> {
        let (messages, names) =
            (message::SetSilence { user, until, version }, user::SetSilence { user, until, version });
        let (groups, requests) =
            (group::SetSilence { user, until, version }, friend::SetSilence { user, until, version });
        let (messages, names, groups, requests) = tokio::join!(
            self.bus.call(scope, &messages),
            self.bus.call(scope, &names),
            self.bus.call(scope, &groups),
            self.bus.call(scope, &requests),
        );
        all_told([
            (message::Message::NAME, messages),
            (user::User::NAME, names),
            (group::Group::NAME, groups),
            (friend::Friend::NAME, requests),
        ])
    }
}

/// # Errors
/// When some could not be told. What the others were told stands: it is to be asked for again.
fn all_told<const MODULES: usize>(told: [(&str, Checked<Done>); MODULES]) -> Checked<Done> {
    let untold: Vec<_> = told.into_iter().filter_map(|(module, told)| Some((module, told.err()?))).collect();
    if untold.is_empty() {
        return Ok(Done {});
    }
    if untold.len() == MODULES {
        // If one of them may know it, that is what became of it.
        let mut errors: Vec<_> = untold.into_iter().map(|(_, error)| error).collect();
        let unknown = errors.iter().position(|error| error.outcome() == Outcome::Unknown);
        return Err(errors.swap_remove(unknown.unwrap_or(0)));
    }
    let modules: Vec<_> = untold.iter().map(|(module, error)| format!("{module} ({error})")).collect();
    let message =
        format!("done only in part, for these could not be told: {}. Do it again", modules.join(", "));
    Err(Error::timeout(message))
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;

    #[test]
    fn what_was_done_in_part_is_never_called_done_nor_undone() {
        let down = || Err(Error::unavailable("nobody serves it"));
        assert_eq!(all_told([("user", Ok(Done {})), ("group", Ok(Done {}))]), Ok(Done {}));
        assert_eq!(all_told([("user", down()), ("group", down())]).unwrap_err().code, Code::Unavailable);
        let late = || Err(Error::timeout("late"));
        assert_eq!(all_told([("user", down()), ("group", late())]).unwrap_err().outcome(), Outcome::Unknown);
        let part = all_told([("user", Ok(Done {})), ("group", down())]).unwrap_err();
        assert_eq!(part.outcome(), Outcome::Unknown);
        assert!(part.message.contains("group (unavailable") && !part.message.contains("user ("), "{part}");
    }
}
