//! Lines of plain mode. Each says which conversation it is about, and waits until those whom it names are known by name.

use broker_schemas::group::JoinedEvent;
use broker_schemas::{Conversation, Seq, UserId, message};
use natter_client::Event;

use super::{Effect, Mode, State, Stored};
use crate::text::Safe;

/// How many lines wait for names; past it, the first ones are written with the numbers of those who have none.
const UNSAID: usize = 1_024;

/// Something to write.
#[derive(Debug)]
pub(super) enum Saying {
    /// A message, new or from history.
    Message(Box<message::Entry>),
    /// What became of a message.
    State(Box<message::Entry>),
    /// A change of a message.
    Change(Event),
    /// The user is in a group now.
    Joined(JoinedEvent),
    /// The user was put out of a group of this name.
    PutOut(UserId, Safe),
    /// Anything.
    Text(Safe),
}

impl State {
    /// Writes a line, in plain mode, once those whom it names are known by name.
    pub(super) fn say(&mut self, line: Saying) -> Vec<Effect> {
        // The screen shows messages by other means.
        if self.mode == Mode::Screen && !matches!(line, Saying::Joined(_) | Saying::PutOut(..)) {
            return Vec::new();
        }
        let mut effects = self.look_up(self.named_on(&line));
        if let Saying::Message(entry) | Saying::State(entry) = &line {
            effects.extend(self.note_group(entry.conversation));
        }
        self.unsaid.push_back(line);
        effects.extend(self.say_what_is_known());
        effects
    }

    /// Writes the lines that need not wait any more, in their order.
    pub(super) fn say_what_is_known(&mut self) -> Vec<Effect> {
        let mut said = Vec::new();
        while let Some(line) = self.unsaid.front() {
            let group = match line {
                Saying::Message(entry) | Saying::State(entry) => entry.conversation.group_id(),
                _ => None,
            };
            let known = self.named_on(line).into_iter().all(|user| self.knows(user))
                && group.is_none_or(|group| self.knows_group(group));
            if !known && self.unsaid.len() <= UNSAID {
                break;
            }
            if let Some(line) = self.unsaid.pop_front() {
                said.push(self.write(&line));
            }
        }
        said
    }

    fn named_on(&self, line: &Saying) -> Vec<UserId> {
        match line {
            Saying::Message(entry) | Saying::State(entry) => self.named_in(entry),
            Saying::Change(Event::Recalled(recalled)) => vec![recalled.by],
            Saying::Change(Event::Reacted(reacted)) => vec![reacted.user],
            Saying::Joined(joined) => vec![joined.by],
            Saying::PutOut(by, _) => vec![*by],
            Saying::Change(_) | Saying::Text(_) => Vec::new(),
        }
    }

    fn write(&mut self, line: &Saying) -> Effect {
        Effect::Say(match line {
            Saying::Message(entry) => self.message_line(entry),
            Saying::State(entry) => Safe::line(&format!("* {}", self.numbered_line(entry))),
            Saying::Change(event) => self.change_line(event),
            Saying::Joined(JoinedEvent { group, name, by, .. }) if self.is_me(*by) => {
                return self.notice(format!("you are in the group {name} (g{group}): /open {name}"));
            }
            Saying::Joined(JoinedEvent { group, name, by, .. }) => {
                let who = self.name_of(*by);
                return self.notice(format!("{who} put you into the group {name} (g{group}): /open {name}"));
            }
            Saying::PutOut(by, title) => {
                let who = self.name_of(*by);
                return self.notice(format!("{who} put you out of the group {title}"));
            }
            Saying::Text(text) => text.clone(),
        })
    }

    /// A message as one line. Those of conversations of two carry no number unless asked for.
    fn message_line(&self, entry: &message::Entry) -> Safe {
        let Some(peer) = self.peer_of(entry.conversation).filter(|_| !self.numbers) else {
            return Safe::line(&self.numbered_line(entry));
        };
        let text = self.whole_text(entry);
        if self.is_me(entry.from) {
            Safe::line(&format!("-> {}: {text}", self.name_of(peer)))
        } else {
            Safe::line(&format!("{}: {text}", self.name_of(entry.from)))
        }
    }

    pub(super) fn numbered_line(&self, entry: &message::Entry) -> String {
        let place = self.place(entry.conversation, entry.seq);
        let text = self.whole_text(entry);
        match entry.notice {
            Some(_) => format!("{place} * {text}"),
            None => format!("{place} {}: {text}", self.name_of(entry.from)),
        }
    }

    /// Where a message stands: `[team #12]`.
    fn place(&self, conversation: Conversation, seq: Seq) -> String {
        format!("[{} #{seq}]", self.label(conversation))
    }

    /// What a message answers, what it says, and what stands behind it.
    fn whole_text(&self, entry: &message::Entry) -> String {
        let quote = entry.quote.map(|seq| format!("{} | ", self.quotation(entry.conversation, seq)));
        let body = self.body(&Stored::new(entry.clone()));
        format!("{}{body}{}", quote.unwrap_or_default(), Self::tail(entry))
    }

    fn change_line(&self, event: &Event) -> Safe {
        let Some(change) = event.change() else { return Safe::default() };
        let place = self.place(change.conversation, change.seq);
        Safe::line(&match event {
            Event::Edited(edited) => format!("* {place} edited: {}", edited.text),
            Event::Recalled(recalled) => format!("* {place} recalled by {}", self.name_of(recalled.by)),
            Event::Reacted(reacted) => {
                let verb = if reacted.removed { "took back" } else { "reacted" };
                format!("* {place} {} {verb} {}", self.name_of(reacted.user), reacted.reaction)
            }
            _ => String::new(),
        })
    }
}
