//! `message.remove`: staff erases what a message says, whoever sent it. Its place stays.

use std::collections::BTreeSet;

use broker_schemas::message::{RecalledEvent, Remove};
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_message;
use crate::author::no_author;
use crate::change::Applied;
use crate::retry::retrying;
use crate::store::Store;

impl Handle<Remove> for Module {
    async fn handle(&self, _: &Call<Part>, request: Remove) -> Result<Done> {
        let applied = retrying(|| apply(&self.store, &request)).await?;
        self.finish(request.conversation, applied).await;
        Ok(Done {})
    }
}

async fn apply(store: &Store, request: &Remove) -> Result<Applied<RecalledEvent>> {
    let &Remove { conversation, seq, by } = request;
    let mut transaction = store.begin().await?;
    let place = store.lock(&mut transaction, &BTreeSet::from([conversation])).await?.remove(&conversation);
    let place = place.ok_or_else(no_such_message)?;
    let entry = Store::entry(&mut transaction, conversation, seq).await?.ok_or_else(no_such_message)?;
    if entry.notice.is_some() {
        return Err(no_author().into());
    }
    if entry.recalled_by.is_some() {
        return Ok(Applied::Already(entry.revision));
    }
    let revision = place.revision + 1;
    store.erase(&mut transaction, &entry, by).await?;
    Store::revise(&mut transaction, &entry, revision).await?;
    let as_of = Store::as_of(&mut transaction, conversation, seq).await?;
    transaction.commit().await?;
    Ok(Applied::Now { revision, as_of, event: RecalledEvent { conversation, seq, revision, by } })
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;
    use broker_schemas::group::Change;

    use super::*;
    use crate::testing::{alter, code, entries, group, pair, say, seq, stores, user};

    #[tokio::test]
    async fn staff_erases_any_message_once_also_where_nobody_writes_any_more() {
        for (store, test) in stores().await {
            let there = group(&store, 9, &[1, 2]).await;
            say(&store, there, 1, "the owner's").await;
            alter(&store, 9, 2, 1, Change::Dissolved {}).await;
            let remove = |at| Remove { conversation: there, seq: seq(at), by: user(77) };
            let Applied::Now { revision: 1, event, .. } = apply(&store, &remove(2)).await.unwrap() else {
                panic!("{}", test.name)
            };
            assert_eq!((event.by, event.revision), (user(77), 1), "{}", test.name);
            let erased = entries(&store, there).await.remove(1);
            assert_eq!((&*erased.text, erased.recalled_by), ("", Some(user(77))), "{}", test.name);
            let again = apply(&store, &remove(2)).await.unwrap();
            assert!(matches!(again, Applied::Already(1)), "{}", test.name);
            assert_eq!(code(apply(&store, &remove(1)).await), Code::Forbidden, "{}: a notice", test.name);
            assert_eq!(code(apply(&store, &remove(9)).await), Code::NotFound, "{}", test.name);
            let nowhere = Remove { conversation: pair(1, 2), ..remove(1) };
            assert_eq!(code(apply(&store, &nowhere).await), Code::NotFound, "{}", test.name);
        }
    }
}
