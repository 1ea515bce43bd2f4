//! Telling the other services that an account was deleted, until each of them has acknowledged it.
//!
//! The deletion leaves a row (an outbox), so that a restart forgets nothing. Several copies of the module may tell at
//! once: hearing it twice changes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::{Delivery, Error, Outcome, SessionId, UserId, friend, group, message};
use natter_host::{Result, Scope};
use tokio_util::sync::CancellationToken;

use crate::Module;

const ROUND_EVERY: Duration = Duration::from_secs(1);
/// The longest pause after rounds in which a service could not be told.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const CALL_PATIENCE: Duration = Duration::from_secs(5);

/// The order to end the sessions of a deleted account.
pub(crate) fn close_sessions(except: Option<SessionId>) -> Delivery {
    Delivery::Close {
        only: None,
        except,
        code: "account_deleted".into(),
        message: "the account was deleted".into(),
    }
}

/// Tells of departures until `stop`.
pub(crate) async fn tell_of_departures(module: Arc<Module>, stop: CancellationToken) {
    let mut pause = ROUND_EVERY;
    let mut seen = HashSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = module.departure_round(&mut seen) => round,
        };
        pause = match round {
            Ok(()) => ROUND_EVERY,
            Err(failure) => {
                tracing::warn!(?failure, "other services have not learnt of deleted accounts yet");
                (pause * 2).min(LONGEST_PAUSE)
            }
        };
    }
}

impl Module {
    /// Tells of every departure that waits. One that is new waits another round: the reply to the user goes first.
    async fn departure_round(&self, seen: &mut HashSet<UserId>) -> Result<()> {
        let waiting = self.store.departures().await?;
        let known = std::mem::replace(seen, waiting.iter().copied().collect());
        let mut round = Ok(());
        for user in waiting.into_iter().filter(|user| known.contains(user)) {
            match self.tell_of_departure(user).await {
                Ok(()) => self.store.departed(user).await?,
                // Nobody is there to learn of the others either.
                Err(error) if error.outcome() == Outcome::NotExecuted => return Err(error.into()),
                Err(error) => round = Err(error.into()),
            }
        }
        round
    }

    async fn tell_of_departure(&self, user: UserId) -> std::result::Result<(), Error> {
        // Again, for the handler may have died before it did.
        self.deliver(user, &close_sessions(None)).await;
        let scope = Scope::background(CALL_PATIENCE);
        let friends = friend::ForgetUser { user };
        let groups = group::ForgetUser { user };
        let messages = message::ForgetUser { user };
        let (friends, groups, messages) = tokio::join!(
            self.bus.call(&scope, &friends),
            self.bus.call(&scope, &groups),
            self.bus.call(&scope, &messages),
        );
        friends.and(groups).and(messages)?;
        tracing::info!(%user, "other services know that the account is deleted");
        Ok(())
    }
}
