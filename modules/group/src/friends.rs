//! Whether somebody is a friend, as the friend module says: only friends are put into a group without being asked.

use broker_schemas::friend::GetGate;
use broker_schemas::{Error, UserId};
use futures_util::{StreamExt, TryStreamExt, stream};
use natter_host::Scope;

use crate::{Checked, Module};

/// How many friends are asked about at once.
const AT_ONCE: usize = 16;
/// How many of those who aren't friends are named.
const NAMED: usize = 10;

impl Module {
    /// # Errors
    /// Names those of `users` who aren't friends of `caller`; [`broker_schemas::Code::Unavailable`] when that can't be found out.
    pub(crate) async fn check_friends(
        &self,
        scope: &Scope,
        field: &str,
        caller: UserId,
        users: &[UserId],
    ) -> Checked<()> {
        let asking = users.iter().copied().map(|user| self.is_friend(scope, caller, user));
        let answers: Vec<_> = stream::iter(asking).buffered(AT_ONCE).try_collect().await?;
        let strangers: Vec<_> = answers.into_iter().filter(|(_, open)| !open).map(|(user, _)| user).collect();
        refuse_strangers(field, &strangers)
    }

    async fn is_friend(&self, scope: &Scope, caller: UserId, user: UserId) -> Checked<(UserId, bool)> {
        let gate = self.bus.call(scope, &GetGate { a: caller, b: user }).await.map_err(|error| {
            // Whatever became of the question, nothing was done.
            Error::unavailable(format!("can't find out whether you are friends: {}", error.message))
        })?;
        Ok((user, gate.open))
    }
}

fn refuse_strangers(field: &str, strangers: &[UserId]) -> Checked<()> {
    let mut names =
        strangers.iter().take(NAMED).map(|user| format!("user {user}")).collect::<Vec<_>>().join(", ");
    if let Some(more) = strangers.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names = format!("{names} and {more} more");
    }
    match strangers.len() {
        0 => Ok(()),
        1 => Err(Error::forbidden(format!("{field}: {names} is not your friend"))),
        _ => Err(Error::forbidden(format!("{field}: {names} are not your friends"))),
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::group::tests::user;

    #[test]
    fn who_is_no_friend_is_named() {
        let refused =
            |users: std::ops::Range<u64>| refuse_strangers("members", &users.map(user).collect::<Vec<_>>());
        assert_eq!(refused(1..1), Ok(()));
        let one = refused(7..8).unwrap_err();
        assert_eq!((one.code, &*one.message), (Code::Forbidden, "members: user 7 is not your friend"));
        let many = refused(1..14).unwrap_err();
        assert!(many.message.ends_with("user 10 and 3 more are not your friends"), "{many}");
    }
}
