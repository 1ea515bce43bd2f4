//! Stores a batch of receipts in one statement.

use std::collections::BTreeMap;

use broker_schemas::{Conversation, Error, Seq};

use crate::retry::{refusal, retrying};
use crate::store::Store;
use natter_host::Work;

/// Up to where a client of the user has received a conversation with the platform's own account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) conversation: Conversation,
    pub(crate) seq: Seq,
}

pub(crate) struct Writer {
    store: Store,
}

impl Writer {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Work<Receipt, Result<(), Error>> for Writer {
    async fn work(&mut self, receipts: Vec<Receipt>) -> Vec<Result<(), Error>> {
        let mut furthest = BTreeMap::new();
        for Receipt { conversation, seq } in &receipts {
            let place = furthest.entry(*conversation).or_insert(*seq);
            *place = (*place).max(*seq);
        }
        let done = retrying(|| self.store.receive(&furthest)).await.map_err(refusal);
        vec![done; receipts.len()]
    }
}
