//! `message.send`: the rules; [`crate::commit`] stores.

use std::num::NonZeroU32;

use broker_schemas::message::{Recipient, Send, Sent};
use broker_schemas::{Conversation, Error, SignedIn, UserId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::commit::{Draft, Outcome};

/// Forget idle users' limits once there are this many.
const LIMITS_KEPT: usize = 100_000;

/// How fast one user may send.
pub(crate) struct Limits {
    users: Option<DefaultKeyedRateLimiter<UserId>>,
}

impl Limits {
    /// At most `burst` at once, then `per_second`; no limit when that is 0.
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        let quota =
            |rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self { users: NonZeroU32::new(per_second).map(|rate| RateLimiter::keyed(quota(rate))) }
    }

    fn check(&self, user: UserId) -> std::result::Result<(), Error> {
        let Some(users) = &self.users else { return Ok(()) };
        if users.len() > LIMITS_KEPT {
            users.retain_recent();
        }
        users.check_key(&user).map_err(|until| {
            Error::rate_limited(
                "you send faster than allowed",
                until.wait_time_from(DefaultClock::default().now()),
            )
        })
    }
}

impl Handle<Send> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Send) -> Result<Sent> {
        let from = call.caller.user();
        let Send { to, client_id, text } = request;
        if text.is_empty() {
            return Err(Error::invalid("text: expected 1 to 16384 bytes, got none").into());
        }
        if text.contains('\0') {
            return Err(Error::invalid("text: the character U+0000 is not accepted").into());
        }
        let conversation = match to {
            Recipient::User(user) => {
                Conversation::direct(from, user).map_err(|why| Error::invalid(format!("to.user: {why}")))?
            }
            Recipient::Group(_) => return Err(Error::not_found("to.group: you are in no such group").into()),
        };
        self.limits.check(from)?;
        let draft = Draft { conversation, from, client_id, text: text.into_inner() };
        let mut outcome = self.sends.submit(draft.clone()).await?;
        if matches!(outcome, Outcome::UnknownGate) && self.learn_gate(&call.scope, conversation).await? {
            outcome = self.sends.submit(draft).await?;
        }
        match outcome {
            Outcome::Sent(sent) => Ok(sent),
            Outcome::Closed | Outcome::UnknownGate => {
                Err(Error::forbidden("you can write to friends only").into())
            }
            Outcome::Conflict => {
                Err(Error::conflict("client_id: you have sent something else with this one").into())
            }
            Outcome::Failed(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_burst_passes_and_what_follows_is_told_how_long_to_wait() {
        let limits = Limits::new(3, 5);
        for _ in 0..3 {
            limits.check(user(1)).unwrap();
        }
        let error = limits.check(user(1)).unwrap_err();
        assert_eq!(error.code, broker_schemas::Code::RateLimited);
        assert!(error.retry_after_ms.is_some_and(|wait| wait <= 200));
        assert!(limits.check(user(2)).is_ok());
    }

    #[test]
    fn zero_means_no_limit() {
        let limits = Limits::new(1, 0);
        assert!((0..1_000).all(|_| limits.check(user(1)).is_ok()));
    }
}
