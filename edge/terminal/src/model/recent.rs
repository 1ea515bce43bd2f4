//! Changes that came lately, for pages of history that were asked for before.

use std::collections::VecDeque;

use broker_schemas::{UserId, message};
use natter_client::Event;

/// How many changes are kept: many times what comes while a page is on its way.
const KEPT: usize = 512;

/// Changes of messages, the newest last.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Change>);

#[derive(Debug)]
enum Change {
    Event(Event),
    State(Box<message::Entry>),
}

impl Recent {
    pub(super) fn event(&mut self, event: Event) {
        self.add(Change::Event(event));
    }

    pub(super) fn state(&mut self, entry: message::Entry) {
        // What applications send is not shown.
        self.add(Change::State(Box::new(message::Entry { payload: None, ..entry })));
    }

    fn add(&mut self, change: Change) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(change);
    }

    /// Makes a message that the server sent some time ago what it is by now.
    pub(super) fn apply_to(&self, entry: &mut message::Entry, me: UserId) {
        for change in &self.0 {
            match change {
                Change::Event(event) => drop(event.apply_to(entry, me)),
                Change::State(state)
                    if (state.conversation, state.seq) == (entry.conversation, entry.seq)
                        && state.revision > entry.revision =>
                {
                    let payload = entry.payload.take().filter(|_| state.recalled_by.is_none());
                    *entry = message::Entry { payload, ..(**state).clone() };
                }
                Change::State(_) => {}
            }
        }
    }
}
