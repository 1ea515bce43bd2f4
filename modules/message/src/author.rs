//! `message.author`: who sent a message.

use broker_schemas::message::{Author, GetAuthor};
use broker_schemas::{Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::access::no_such_message;
use crate::store::Store;

impl Handle<GetAuthor> for Module {
    async fn handle(&self, _: &Call<Part>, request: GetAuthor) -> Result<Author> {
        find(&self.store, &request).await
    }
}

async fn find(store: &Store, request: &GetAuthor) -> Result<Author> {
    let mut snapshot = store.snapshot().await?;
    let found = Store::entry(&mut snapshot, request.conversation, request.seq).await?;
    let entry = found.ok_or_else(no_such_message)?;
    if entry.notice.is_some() { Err(no_author().into()) } else { Ok(Author { user: entry.from }) }
}

/// The refusal for a notice: whose name it bears did what it says, and wrote nothing.
pub(crate) fn no_author() -> Error {
    Error::forbidden("seq: nobody wrote this, so nobody can take it away")
}

#[cfg(test)]
mod tests {
    use broker_schemas::Code;

    use super::*;
    use crate::testing::{code, group, say, seq, stores, user};

    #[tokio::test]
    async fn who_wrote_a_message_is_known_and_a_notice_has_nobody() {
        for (store, test) in stores().await {
            let conversation = group(&store, 9, &[1, 2]).await;
            say(&store, conversation, 2, "hello").await;
            let author = async |at| find(&store, &GetAuthor { conversation, seq: seq(at) }).await;
            assert_eq!(author(2).await.unwrap().user, user(2), "{}", test.name);
            assert_eq!(code(author(1).await), Code::Forbidden, "{}: a notice", test.name);
            assert_eq!(code(author(9).await), Code::NotFound, "{}", test.name);
        }
    }
}
