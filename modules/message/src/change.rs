//! What the methods that change a stored message have in common: its next revision is told once it is committed.

use broker_schemas::message::Changed;
use broker_schemas::{Conversation, Event};

use crate::Module;
use crate::push::{self, AsOf};

/// What became of a change of a message.
#[derive(Debug)]
pub(crate) enum Applied<E> {
    /// It was so already, at this revision of the message.
    Already(u64),
    /// It is so now.
    Now { revision: u64, as_of: AsOf, event: E },
}

impl Module {
    /// Tells everyone in the conversation of a change that was committed.
    pub(crate) async fn finish<E: Event>(&self, conversation: Conversation, applied: Applied<E>) -> Changed {
        match applied {
            Applied::Already(revision) => Changed { revision },
            Applied::Now { revision, as_of, event } => {
                push::to_all(&self.bus, conversation, as_of, &event).await;
                Changed { revision }
            }
        }
    }
}
