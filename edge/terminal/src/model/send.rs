//! Sending, telling that one writes, and telling what one has read.

use std::time::Duration;

use broker_schemas::message::Recipient;
use broker_schemas::{Conversation, Seq};
use natter_client::Draft;
use uuid::Uuid;

use super::thread::{PENDING, Pending};
use super::{Effect, Link, Mode, Stage, State};

/// How often the others are told that the user is still writing.
const TYPING_EVERY: Duration = Duration::from_secs(3);
/// How long somebody who was said to be writing counts as doing so.
pub(super) const TYPING_SHOWN: Duration = Duration::from_secs(5);

impl State {
    pub(super) fn send(
        &mut self,
        conversation: Conversation,
        text: String,
        quote: Option<Seq>,
    ) -> Vec<Effect> {
        let Some(to) = self.recipient(conversation) else { return Vec::new() };
        let draft = Draft { quote, ..Draft::text(&text) }.mentioning(self.mentions_in(&text));
        let thread = self.threads.entry(conversation).or_default();
        if thread.pending.len() >= PENDING {
            return vec![self.notice("too many messages wait already; /retry sends again what failed")];
        }
        // Random, as its purpose demands; nothing here depends on its value.
        let client_id = Uuid::new_v4();
        thread.pending.push(Pending { client_id, draft: draft.clone(), stage: Stage::Sending });
        let mut effects = vec![Effect::Send { conversation, to, client_id, draft }];
        if self.open == Some(conversation) {
            self.view.scroll = 0;
            effects.extend(self.go_to_end());
        }
        self.told_typing = None;
        effects
    }

    fn recipient(&self, conversation: Conversation) -> Option<Recipient> {
        let group = conversation.group_id().map(Recipient::Group);
        group.or_else(|| self.peer_of(conversation).map(Recipient::User))
    }

    /// Sends again what failed, under the same ids: what did arrive is not stored twice.
    pub(super) fn retry(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let conversations: Vec<_> = self.threads.keys().copied().collect();
        for conversation in conversations {
            let Some(to) = self.recipient(conversation) else { continue };
            for pending in self.threads.entry(conversation).or_default().pending.iter_mut() {
                if let Stage::Failed(_) = pending.stage {
                    pending.stage = Stage::Sending;
                    let (client_id, draft) = (pending.client_id, pending.draft.clone());
                    effects.push(Effect::Send { conversation, to, client_id, draft });
                }
            }
        }
        effects
    }

    /// The line being typed has changed: the others are told, every now and then, if it will be a message.
    pub(super) fn tell_typing(&mut self) -> Vec<Effect> {
        let line = self.input.as_str();
        let message = !line.is_empty() && (!line.starts_with('/') || line.starts_with("//"));
        let Some(open) = self.open.filter(|_| message && self.asking.is_none() && self.link == Link::Online)
        else {
            return Vec::new();
        };
        match self.told_typing {
            Some((there, at)) if there == open && self.clock < at + TYPING_EVERY => Vec::new(),
            _ => {
                self.told_typing = Some((open, self.clock));
                vec![Effect::Typing(open)]
            }
        }
    }

    /// What is shown is read: notes it, and tells the server, one call at a time for each conversation.
    pub(super) fn mark_read(&mut self) -> Vec<Effect> {
        let (link, open, mode) = (&self.link, self.open, self.mode);
        let at_end = self.view.scroll == 0 && self.view.from.is_none() && self.panel.is_none();
        let mut effects = Vec::new();
        for (&conversation, thread) in &mut self.threads {
            if mode == Mode::Plain {
                thread.read = thread.read.max(thread.written);
            } else if open == Some(conversation) && at_end {
                thread.read = thread.read.max(thread.last());
            }
            if thread.read > thread.told
                && !thread.telling
                && *link == Link::Online
                && let Ok(seq) = Seq::new(thread.read)
            {
                thread.telling = true;
                effects.push(Effect::Read { conversation, seq });
            }
        }
        effects
    }
}
