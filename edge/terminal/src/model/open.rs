//! Opening a conversation, and walking through what was said in it.

use broker_schemas::{Conversation, Seq, message};
use natter_client::CallError;

use super::say::Saying;
use super::thread::Fetching;
use super::{Effect, Mode, Page, Relation, State, View, Why, explain};

/// With fewer messages than this, a conversation that is opened fetches older ones.
const ENOUGH: usize = 30;

impl State {
    /// Shows a conversation.
    pub(super) fn open(&mut self, conversation: Conversation) -> Vec<Effect> {
        let thread = self.threads.entry(conversation).or_default();
        let unread = thread.unread() > 0;
        let few = thread.messages.len() < ENOUGH;
        self.view = View { unread_from: unread.then_some(thread.read + 1), ..View::default() };
        self.open = Some(conversation);
        self.panel = None;
        let mut effects = match self.mode {
            Mode::Plain => {
                let title = self.title_of(conversation);
                vec![self.notice(format!("what you type goes to {title}"))]
            }
            Mode::Screen => self.go_to_end(),
        };
        if self.mode == Mode::Screen && few {
            effects.extend(self.older(None));
        }
        effects.extend(self.look_around(conversation, Why::Opened));
        effects
    }

    /// Asks for what is shown around the messages of a conversation.
    pub(super) fn look_around(&mut self, conversation: Conversation, why: Why) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.mode == Mode::Screen {
            effects.push(Effect::Readers { conversation, seq: None, say: false });
        }
        let alive =
            conversation.group_id().filter(|id| self.groups.get(id).is_none_or(|group| !group.dissolved));
        if let Some(group) = alive {
            effects.push(Effect::GroupProfile { group, why });
            effects.push(Effect::Members { group, say: false });
        }
        effects
    }

    /// Shows the conversation `step` places further down the list.
    pub(super) fn open_neighbour(&mut self, step: isize) -> Vec<Effect> {
        let of = |relation| {
            let people = self.roster().into_iter().filter(move |(_, person)| person.relation == relation);
            people.filter_map(|(user, _)| self.conversation_with(user)).collect::<Vec<_>>()
        };
        let groups = self.groups_by_name().into_iter().map(|(group, _)| Conversation::group(group)).collect();
        let list = [of(Relation::Friend), groups, of(Relation::Stranger)].concat();
        let present = list.iter().position(|there| Some(*there) == self.open);
        let count = list.len().cast_signed();
        let next = match present {
            Some(present) => (present.cast_signed() + step).rem_euclid(count.max(1)),
            None if step < 0 => count - 1,
            None => 0,
        };
        match usize::try_from(next).ok().and_then(|next| list.get(next)) {
            Some(&conversation) => self.open(conversation),
            None => Vec::new(),
        }
    }

    /// Fetches older messages of the open conversation, unless there are none or they are on their way: those before `than`,
    /// instead of what is there, or further ones.
    pub(super) fn older(&mut self, than: Option<Seq>) -> Vec<Effect> {
        let Some(thread) = self.open_thread() else { return vec![self.notice(NOT_OPEN)] };
        let before = than.or_else(|| thread.first().and_then(|first| Seq::new(first).ok()));
        if thread.fetching.is_some() || (than.is_none() && thread.complete) {
            return Vec::new();
        }
        self.fetch(Page::Before(before), than.is_some())
    }

    /// The same with newer messages.
    pub(super) fn newer(&mut self, than: Option<Seq>) -> Vec<Effect> {
        let Some(thread) = self.open_thread() else { return vec![self.notice(NOT_OPEN)] };
        if thread.fetching.is_some() {
            return Vec::new();
        }
        let after = than.or_else(|| Seq::new(thread.last()).ok().filter(|_| thread.is_behind()));
        match after {
            Some(after) => self.fetch(Page::After(after), than.is_some()),
            None => vec![self.notice("there is nothing newer")],
        }
    }

    /// Shows the end of the open conversation, if something further up is shown.
    pub(super) fn go_to_end(&mut self) -> Vec<Effect> {
        if self.mode == Mode::Screen && self.open_thread().is_some_and(|thread| thread.is_behind()) {
            self.fetch(Page::Before(None), true)
        } else {
            Vec::new()
        }
    }

    fn open_thread(&mut self) -> Option<&mut super::Thread> {
        self.open.map(|open| self.threads.entry(open).or_default())
    }

    fn fetch(&mut self, page: Page, instead: bool) -> Vec<Effect> {
        let Some(conversation) = self.open else { return Vec::new() };
        self.threads.entry(conversation).or_default().fetching = Some(Fetching { page, instead });
        vec![Effect::History { conversation, page }]
    }

    /// Asks for messages that others quote and that are not here.
    pub(super) fn fetch_quoted(
        &mut self,
        conversation: Conversation,
        quotes: impl IntoIterator<Item = Seq>,
    ) -> Vec<Effect> {
        let thread = self.threads.entry(conversation).or_default();
        let mut effects = Vec::new();
        for seq in quotes {
            if !thread.messages.contains_key(&seq.get()) && !thread.quoted.contains_key(&seq.get()) {
                // Whatever comes of it, it is asked for once.
                thread.quote(seq, None);
                effects.push(Effect::Quoted { conversation, seq });
            }
        }
        effects
    }
}

const NOT_OPEN: &str = "of which conversation? /open NAME opens one";

/// A page of history came, or didn't.
pub(super) fn fetched(
    state: &mut State,
    conversation: Conversation,
    page: Page,
    result: Result<message::Messages, CallError>,
) -> Vec<Effect> {
    let message::Messages { mut messages, more } = match result {
        Ok(found) => found,
        Err(error) => {
            state.threads.entry(conversation).or_default().fetching = None;
            return vec![state.notice(format!("no more messages now: {}", explain(&error)))];
        }
    };
    state.freshen(&mut messages);
    let mut effects = Vec::new();
    if state.mode == Mode::Plain {
        for entry in &messages {
            effects.extend(state.say(Saying::Message(Box::new(entry.clone()))));
        }
        if messages.is_empty() {
            effects.push(state.notice(match page {
                Page::Before(_) => "there is nothing older",
                Page::After(_) => "there is nothing newer",
            }));
        }
    }
    let quotes: Vec<_> = messages.iter().filter_map(|entry| entry.quote).collect();
    let named: Vec<_> = messages.iter().flat_map(|entry| state.named_in(entry)).collect();
    effects.extend(state.look_up(named));
    // Newer messages are read on from their beginning, older ones from their end.
    let from = match page {
        Page::After(_) => messages.first().map(|entry| entry.seq.get()),
        Page::Before(_) => None,
    };
    let shown = state.threads.entry(conversation).or_default().fill(page, messages, more);
    if shown
        && state.open == Some(conversation)
        && let Some(from) = from
    {
        state.view.from = Some(from);
    }
    if state.mode == Mode::Screen {
        effects.extend(state.fetch_quoted(conversation, quotes));
    }
    effects
}

/// A message that others quote came, or didn't.
pub(super) fn quoted(
    state: &mut State,
    conversation: Conversation,
    seq: Seq,
    result: Result<Option<Box<message::Entry>>, CallError>,
) -> Vec<Effect> {
    let Ok(Some(entry)) = result else { return Vec::new() };
    let mut entries = [*entry];
    state.freshen(&mut entries);
    let [entry] = entries;
    let named = state.named_in(&entry);
    state.threads.entry(conversation).or_default().quote(seq, Some(entry));
    state.look_up(named)
}

impl State {
    /// Makes messages that the server sent some time ago what they are by now.
    pub(super) fn freshen(&self, entries: &mut [message::Entry]) {
        let Some(me) = self.me.as_ref().map(|me| me.user) else { return };
        for entry in entries {
            self.recent.apply_to(entry, me);
        }
    }
}
