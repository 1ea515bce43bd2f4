//! A message in words, for both modes.

use broker_schemas::{Conversation, Seq, UserId, message};

use super::{State, Stored, group};
use crate::text::Safe;

/// How many characters of a message stand where it is quoted or listed.
const BEGINNING: usize = 60;

impl State {
    /// What a message says: its text, what happened, or that it was taken back.
    pub(crate) fn body(&self, stored: &Stored) -> Safe {
        let entry = &stored.entry;
        if let Some(by) = entry.recalled_by {
            return if by == entry.from {
                Safe::line("message recalled")
            } else {
                Safe::line(&format!("message recalled by {}", self.name_of(by)))
            };
        }
        if let Some(change) = &entry.notice {
            return Safe::text(&self.notice_words(entry.from, change));
        }
        match &entry.payload {
            None => stored.text.clone(),
            Some(payload) => {
                let space = if entry.text.is_empty() { "" } else { " " };
                Safe::text(&format!("[{}]{space}{}", &*payload.kind, entry.text))
            }
        }
    }

    /// What stands behind a message: that it was edited, and the reactions to it.
    pub(crate) fn tail(entry: &message::Entry) -> Safe {
        let mut tail = String::new();
        if entry.edited_at.is_some() && entry.recalled_by.is_none() {
            tail.push_str(" (edited)");
        }
        if !entry.reactions.is_empty() {
            let reaction = |known: &message::Reaction| format!("{} {}", known.reaction, known.count);
            let reactions: Vec<_> = entry.reactions.iter().map(reaction).collect();
            tail.push_str(&format!(" [{}]", reactions.join("  ")));
        }
        Safe::line(&tail)
    }

    /// A message that is quoted: who said what, as far as it is known here.
    pub(crate) fn quotation(&self, conversation: Conversation, seq: Seq) -> Safe {
        match self.threads.get(&conversation).and_then(|thread| thread.get(seq)) {
            None => Safe::line(&format!("> #{seq}")),
            Some(quoted) => {
                let beginning = beginning(self.body(quoted).as_str());
                Safe::line(&format!("> #{seq} {}: {beginning}", self.name_of(quoted.entry.from)))
            }
        }
    }

    /// Whether a message points out the user.
    pub(crate) fn mentions_me(&self, entry: &message::Entry) -> bool {
        entry.mentions.iter().any(|user| self.is_me(*user))
    }

    /// Everybody whose name is needed to show a message.
    pub(super) fn named_in(&self, entry: &message::Entry) -> Vec<UserId> {
        let mut named = vec![entry.from];
        named.extend(entry.recalled_by);
        named.extend(entry.notice.as_ref().map(group::named).unwrap_or_default());
        let quoted = entry.quote.and_then(|seq| self.threads.get(&entry.conversation)?.get(seq));
        named.extend(quoted.map(|quoted| quoted.entry.from));
        named
    }

    /// The last message of a conversation, on a line of a list.
    pub(super) fn preview(&self, last: &message::Preview) -> String {
        let (seq, who) = (last.seq, self.name_of(last.from));
        if last.recalled {
            return format!("#{seq} message recalled");
        }
        match (&last.notice, &last.kind) {
            (Some(change), _) => format!("#{seq} {}", beginning(&self.notice_words(last.from, change))),
            (None, Some(kind)) => format!("#{seq} {who}: [{kind}] {}", beginning(&last.text)),
            (None, None) => format!("#{seq} {who}: {}", beginning(&last.text)),
        }
    }
}

/// The beginning of a text, on one line.
fn beginning(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(BEGINNING) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if line.len() < text.trim_end().len() => format!("{line}…"),
        None => line.to_owned(),
    }
}
