//! Who is whose friend, who asked, and who blocks whom.
//!
//! The way of a call: its method's file (`request.rs`, `accept.rs`, …) has the handler and the rule by which a
//! [`relation`] changes; [`change`] applies the rule in a transaction of [`store`], where all SQL is; then [`outbox`]
//! tells the message module whether the two may write to each other, and [`push`] tells the users. Names come from the
//! user module, through [`people`]. [`presence`] is not called but hears.
//!
//! Nothing here knows about sockets, sessions or messages.

mod accept;
mod block;
mod change;
mod decline;
mod forget_user;
mod gate;
mod list;
mod outbox;
mod people;
mod presence;
mod push;
mod relation;
mod remove;
mod request;
mod requests;
mod store;
mod unblock;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Service, friend, user};
use natter_host::{Bus, Part, Process, Running};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{LISTED, MIGRATIONS, Store};

/// The friend module, as a part that a process can run.
#[derive(Debug, Clone, Copy)]
pub struct Friend;

/// Section `[friend]`. Each limit is from 1 to 1,024; what a user has beyond a limit that was lowered stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many friends a user may have.
    pub max_friends: u32,
    /// How many requests of one user may wait for an answer.
    pub max_pending: u32,
    /// How many users one user may block.
    pub max_blocked: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_friends: 500, max_pending: 100, max_blocked: 500 }
    }
}

impl Settings {
    fn check(&self) -> anyhow::Result<()> {
        let limits = [
            ("max_friends", self.max_friends),
            ("max_pending", self.max_pending),
            ("max_blocked", self.max_blocked),
        ];
        for (name, limit) in limits {
            anyhow::ensure!(
                (1..=LISTED).contains(&limit),
                "friend.{name}: expected 1 to {LISTED}, got {limit}"
            );
        }
        Ok(())
    }
}

/// What every handler works with.
#[derive(Debug)]
struct Module {
    bus: Bus,
    store: Store,
    limits: Settings,
}

impl Part for Friend {
    const NAME: &'static str = friend::Friend::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let store = Store::new(process.database(Self::NAME, MIGRATIONS).await?);
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let module = Arc::new(Module { bus: bus.clone(), store: store.clone(), limits: settings });
        let serving = process
            .serve::<friend::Friend, _>(bus, module.clone())
            .await?
            .hearing::<user::PresenceChanged>()
            .await?;
        let stop = CancellationToken::new();
        let worker = TaskTracker::new();
        worker.spawn(stop.clone().run_until_cancelled_owned(module.empty_outbox()));
        worker.close();
        Ok(Running::new(Self::NAME, async move {
            stop.cancel();
            worker.wait().await;
            serving.drain().await;
            store.close().await;
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_an_answer_could_not_hold_is_refused_by_name() {
        assert!(Settings::default().check().is_ok());
        let error = Settings { max_blocked: 0, ..Settings::default() }.check().unwrap_err();
        assert!(error.to_string().contains("friend.max_blocked: expected 1 to 1024"), "{error}");
    }
}
