//! Who is whose friend, who asked, and who blocks whom.
//!
//! The way of a call: its method's file (`request.rs`, `accept.rs`, …) has the handler and the rule by which a
//! `relation` changes; `change` applies the rule in a transaction of `store`, where all SQL is; then `outbox`
//! tells the message module whether the two may write to each other, and `push` tells the users. Names come from the
//! user module, through `people`. `presence` is not called but hears.
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
mod set_silence;
mod settings;
mod store;
mod unblock;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Error, Service, UserId, friend, user};
use natter_host::{Bus, Limiter, Part, Process, Running, Silences};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use settings::Settings;

use store::{MIGRATIONS, Store};

/// The friend module, as a part that a process can run.
#[derive(Debug, Clone, Copy)]
pub struct Friend;

/// What every handler works with.
#[derive(Debug)]
struct Module {
    bus: Bus,
    store: Store,
    silences: Silences,
    limits: Settings,
    changes: Limiter<UserId>,
}

impl Part for Friend {
    const NAME: &'static str = friend::Friend::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let database = process.database(Self::NAME, MIGRATIONS).await?;
        let silences = Silences::new(database.clone());
        let store = Store::new(database);
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let (changes, sharing) = settings.changes().shared(&bus, "changes").await?;
        let module =
            Arc::new(Module { bus: bus.clone(), store: store.clone(), silences, limits: settings, changes });
        let serving = process
            .serve::<friend::Friend, _>(bus, module.clone())
            .await?
            .hearing::<user::PresenceChanged>()
            .await?;
        let stop = CancellationToken::new();
        let worker = TaskTracker::new();
        worker.spawn(stop.clone().run_until_cancelled_owned(sharing));
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

impl Module {
    /// Counts a call that others are told of. A block isn't counted: it must be possible at any time, and without further
    /// requests and unblockings there is nothing left to block.
    fn check_rate(&self, user: UserId) -> Result<(), Error> {
        self.changes.check(&user, "you change who your friends are faster than allowed")
    }
}
