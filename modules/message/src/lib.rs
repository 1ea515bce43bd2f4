//! Conversations: sending, history, what was missed, what was read.
//!
//! A send goes `send` (rules) → `batch` (gathers what arrives while a commit runs) → `commit` (one transaction for all
//! of it, then acks and pushes) → `store` (SQL). Nothing is written per recipient.

mod batch;
mod commit;
mod conversations;
mod cursors;
mod forget_user;
mod gate;
mod history;
mod read;
mod send;
mod set_gate;
mod settings;
mod store;
mod sync;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Service, message};
use natter_host::{Bus, Part, Process, Running};

pub use settings::Settings;

use batch::Batcher;
use store::Store;

/// The message module.
#[derive(Debug, Clone, Copy)]
pub struct Message;

/// What the handlers share.
struct Module {
    bus: Bus,
    store: Store,
    sends: Batcher<commit::Draft, commit::Outcome>,
    reads: Batcher<cursors::Cursor, cursors::Outcome>,
    limits: send::Limits,
}

impl Part for Message {
    const NAME: &'static str = message::Message::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let store = Store::new(process.database(Self::NAME, store::MIGRATIONS).await?);
        let sends = Batcher::start(settings.batch, commit::Committer::new(store.clone(), bus.clone()));
        let reads = Batcher::start(settings.batch, cursors::Writer::new(store.clone()));
        let limits = send::Limits::new(settings.send_burst, settings.send_per_second);
        let module = Arc::new(Module { bus: bus.clone(), store: store.clone(), sends, reads, limits });
        let serving = process.serve::<message::Message, _>(bus, module).await?;
        Ok(Running::new(Self::NAME, async move {
            serving.drain().await;
            store.close().await;
        }))
    }
}
