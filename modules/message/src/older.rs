//! Makes messages searchable that were stored before the search was. What makes their words is `words.rs`, not SQL, so
//! no migration can do it.

use natter_host::Result;

use crate::store::Store;

/// How many messages one transaction indexes.
const BATCH: u32 = 512;

/// Indexes what isn't indexed yet. Ended in between, it goes on where it was at the next start.
pub(crate) async fn index(store: &Store) -> Result<()> {
    let mut all = 0;
    loop {
        let some = store.index_older(BATCH).await?;
        if some == 0 {
            break;
        }
        if all == 0 {
            tracing::info!("making older messages searchable");
        }
        all += some;
    }
    if all > 0 {
        tracing::info!(messages = all, "older messages are searchable");
    }
    Ok(())
}
