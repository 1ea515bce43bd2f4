//! What a device shows.

use broker_schemas::message::{EditedEvent, RecalledEvent};
use broker_schemas::{Conversation, Seq};
use natter_client::{Event as Pushed, Update, Updates};

use super::Client;
use crate::history::{Event, Operation, Recorder, Step, hash};

/// Logs everything that the client learns.
pub(super) async fn watch(client: Client, mut updates: Updates, recorder: Recorder) {
    while let Some(update) = updates.next().await {
        match update {
            Update::Message(entry) => {
                recorder.event(client.sight(Operation::Deliver, &entry));
                show(&client, entry.conversation, entry.seq, entry.revision);
            }
            Update::Changed(entry) => {
                recorder.event(client.sight(Operation::Update, &entry));
                show(&client, entry.conversation, entry.seq, entry.revision);
            }
            Update::Online(_) => {
                recorder.event(client.event(Operation::Resume, Step::Ok));
                forget(&client, &updates, &recorder);
            }
            Update::Offline { reason, .. } => {
                let event = client.event(Operation::Resume, Step::Info);
                recorder.event(Event { why: reason.to_string(), ..event });
            }
            Update::Over(reason) => {
                let event = client.event(Operation::Resume, Step::Fail);
                recorder.event(Event { why: reason.to_string(), ..event });
            }
            Update::Announcement(_) => {}
            Update::Event(event) => {
                if let Some(change) = event.change() {
                    let body = match &event {
                        Pushed::Edited(EditedEvent { text, .. }) => Some(hash(text)),
                        Pushed::Recalled(RecalledEvent { .. }) => Some(hash("")),
                        _ => None,
                    };
                    recorder.event(Event {
                        seq: Some(change.seq.get()),
                        revision: Some(change.revision),
                        body,
                        ..client.event(Operation::Update, Step::Ok).within(change.conversation)
                    });
                    show(&client, change.conversation, change.seq, change.revision);
                }
                if matches!(event, Pushed::GroupLeft(_) | Pushed::GroupKicked(_)) {
                    forget(&client, &updates, &recorder);
                }
            }
        }
    }
}

fn show(client: &Client, conversation: Conversation, seq: Seq, revision: u64) {
    let mut shown = client.shown();
    let last = shown.entry(conversation).or_default().entry(seq.get()).or_default();
    *last = revision.max(*last);
}

/// Forgets the conversations that the library has forgotten: the user is out of them.
fn forget(client: &Client, updates: &Updates, recorder: &Recorder) {
    let mut shown = client.shown();
    let gone: Vec<Conversation> =
        shown.keys().filter(|conversation| !updates.cursors().contains_key(conversation)).copied().collect();
    for conversation in gone {
        shown.remove(&conversation);
        recorder.event(client.event(Operation::Forget, Step::Ok).within(conversation));
    }
}
