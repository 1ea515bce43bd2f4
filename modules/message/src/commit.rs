//! Stores a batch of sends in one transaction, then acks and pushes each.

use broker_schemas::Timestamp;
use broker_schemas::message::{Entry, NewEvent};
use natter_host::{Bus, Result};

use crate::batch::Work;
use crate::plan::{Draft, Outcome, Plan};
use crate::push;
use crate::retry::{refusal, retrying};
use crate::store::Store;

pub(crate) struct Committer {
    store: Store,
    bus: Bus,
}

/// What a transaction did, before anyone is told.
pub(crate) struct Committed {
    pub(crate) outcomes: Vec<Outcome>,
    /// What to push, each with the version of the group whose members are told.
    pub(crate) push: Vec<(Entry, u64)>,
}

impl Committer {
    pub(crate) const fn new(store: Store, bus: Bus) -> Self {
        Self { store, bus }
    }
}

impl Work<Draft, Outcome> for Committer {
    async fn work(&mut self, drafts: Vec<Draft>) -> Vec<Outcome> {
        match retrying(|| commit(&self.store, &drafts)).await {
            Ok(Committed { outcomes, push }) => {
                for (entry, version) in push {
                    push::to_all(&self.bus, entry.conversation, version, &NewEvent(entry)).await;
                }
                outcomes
            }
            Err(failure) => {
                let error = refusal(failure);
                vec![Outcome::Failed(error); drafts.len()]
            }
        }
    }
}

/// Stores what is within the rules. Who may write is read under the lock of the conversation's row, which a change of a
/// group's members takes as well: a message is stored either before somebody was put out, or not at all.
pub(crate) async fn commit(store: &Store, drafts: &[Draft]) -> Result<Committed> {
    let mut transaction = store.begin().await?;
    let keys: Vec<_> = drafts.iter().map(|draft| (draft.from, draft.client_id)).collect();
    let stored = Store::find_stored(&mut transaction, &keys).await?;
    let mut plan = Plan::new(drafts, &stored);
    let mut push = Vec::new();
    for entry in std::mem::take(&mut plan.repeated) {
        let version = Store::as_of(&mut transaction, entry.conversation, entry.seq).await?;
        push.push((entry, version));
    }
    let conversations = plan.conversations();
    if !conversations.is_empty() {
        let places = store.lock(&mut transaction, &conversations).await?;
        let senders = plan.senders();
        let members = match senders.is_empty() {
            true => [].into(),
            false => Store::members(&mut transaction, &senders).await?,
        };
        let now = Timestamp::now();
        let placed = plan.place(&places, &members, now)?;
        if !placed.entries.is_empty() {
            Store::advance(&mut transaction, &placed.last, now).await?;
            Store::insert(&mut transaction, &placed.entries).await?;
            store.index(&mut transaction, &placed.entries).await?;
        }
        transaction.commit().await?;
        push.extend(placed.entries.into_iter().map(|entry| {
            let version = places.get(&entry.conversation).map_or(0, |place| place.version);
            (entry, version)
        }));
    }
    Ok(Committed { outcomes: plan.outcomes(), push })
}
