//! Conversations: sending, history, what was missed, what was read, what was changed afterwards.
//!
//! The way of a call: its method's file has the handler and the rules; all SQL is in `store`.
//!
//! - A send goes `send` (rules that need no database) → `batch` (gathers what arrives while a commit runs) → `commit` (one
//!   transaction for all of it, in which `plan` decides what each becomes; then acks and pushes). Nothing is written per
//!   recipient. A read cursor goes `read` → `batch` → `cursors`.
//! - `change_group` is how the group module says who is in a group. Members are kept here, beside the messages, and each
//!   transaction that writes reads them under the lock of the conversation: see `access` for who may what.
//! - `edit`, `recall` and `react` change a stored message, which `change` then tells. `history`, `sync` and `search` read,
//!   within the bounds of `page`; `words` makes what `search` finds.
//! - `groups_of` and `present` are what edges ask.
//! - `post` sends campaigns, apart from what people send; `received` and `receipts` note who has them, `reach` counts. `report`
//!   and `watch` hand to the administration what users and rules report.
//!
//! Nothing here knows about sockets, sessions, or why somebody is in a group.

mod access;
mod author;
mod change;
mod change_group;
mod commit;
mod conversations;
mod cursors;
mod edit;
mod forget_user;
mod gate;
mod groups_of;
mod history;
mod limits;
mod older;
mod page;
mod plan;
mod post;
mod present;
mod push;
mod reach;
mod react;
mod read;
mod readers;
mod recall;
mod receipts;
mod received;
mod remove;
mod report;
mod retry;
mod search;
mod send;
mod set_gate;
mod set_rules;
mod set_silence;
mod settings;
mod store;
mod sync;
#[cfg(test)]
mod testing;
mod typing;
mod unread;
mod watch;
mod words;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Error, Service, message};
use natter_host::{Batcher, Bus, Failure, Part, Process, RulesInForce, Running, Silences};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use settings::Settings;

use store::Store;

/// The message module.
#[derive(Debug, Clone, Copy)]
pub struct Message;

/// What the handlers share.
struct Module {
    bus: Bus,
    store: Store,
    sends: Batcher<plan::Draft, commit::Done>,
    reads: Batcher<cursors::Cursor, cursors::Outcome>,
    receipts: Batcher<receipts::Receipt, Result<(), Error>>,
    posts: post::Posts,
    /// What texts must not contain.
    rules: RulesInForce,
    silences: Silences,
    watch: watch::Watch,
    limits: limits::Limits,
    settings: Settings,
}

impl Part for Message {
    const NAME: &'static str = message::Message::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let database = process.database(Self::NAME, store::MIGRATIONS).await?;
        let rules = RulesInForce::open(database.clone()).await?;
        let silences = Silences::new(database.clone());
        let store = Store::new(database);
        older::index(&store).await.map_err(|failure| match failure {
            Failure::Refused(error) => error.into(),
            Failure::Broken(cause) => cause,
        })?;
        let sends =
            Batcher::start("messages", settings.batch, commit::Committer::new(store.clone(), bus.clone()));
        let reads = Batcher::start("cursors", settings.batch, cursors::Writer::new(store.clone()));
        let receipts = Batcher::start("receipts", settings.batch, receipts::Writer::new(store.clone()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (watch, handing_over) = watch::Watch::new(bus.clone(), stop.clone());
        tasks.spawn(handing_over);
        let (limits, sharing) = limits::Limits::new(&settings).shared(&bus).await?;
        tasks.spawn(stop.clone().run_until_cancelled_owned(sharing));
        let module = Arc::new(Module {
            bus: bus.clone(),
            store: store.clone(),
            sends,
            reads,
            receipts,
            posts: post::Posts::new(),
            rules,
            silences,
            watch,
            limits,
            settings,
        });
        let follower = module.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move { follower.rules.follow().await }));
        tasks.close();
        let serving = process.serve::<message::Message, _>(bus, module).await?;
        Ok(Running::new(Self::NAME, async move {
            serving.drain().await;
            stop.cancel();
            tasks.wait().await;
            store.close().await;
        }))
    }
}
