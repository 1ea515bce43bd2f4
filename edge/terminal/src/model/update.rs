//! What a person does, and what follows from it.

use broker_schemas::{Conversation, Seq, UserId};
use uuid::Uuid;

use super::command::{Command, HELP, parse};
use super::thread::{PENDING, Pending, Stage};
use super::{Asking, Effect, Input, Key, Link, Mode, Phase, Relation, State, View, arrive};
use crate::text::Safe;

/// With fewer messages than this, a conversation that is opened fetches older ones.
const ENOUGH: usize = 30;

/// Takes `input` in. What is to be done about it.
pub(crate) fn update(state: &mut State, input: Input) -> Vec<Effect> {
    let mut effects = match input {
        Input::Key(key) => on_key(state, key),
        Input::Paste(text) => {
            match &mut state.phase {
                Phase::SignIn(form) => form.paste(&text),
                Phase::Chat => state.input.insert(&text.replace("\r\n", "\n").replace('\r', "\n")),
            }
            Vec::new()
        }
        Input::Line(line) => on_line(state, &line),
        Input::Drawn { page, scroll_max } => {
            state.view = View { page, scroll_max, scroll: state.view.scroll.min(scroll_max), ..state.view };
            Vec::new()
        }
        Input::Update(update) => arrive::update(state, update),
        Input::Answer(answer) => arrive::answer(state, answer),
    };
    effects.extend(state.mark_read());
    effects
}

fn on_key(state: &mut State, key: Key) -> Vec<Effect> {
    if key == Key::Quit {
        return vec![Effect::Quit];
    }
    if let Phase::SignIn(form) = &mut state.phase {
        return form.key(key).into_iter().collect();
    }
    match key {
        Key::Escape => {
            state.show_help = false;
            if state.asking.take().is_some() {
                state.input.take();
            }
        }
        Key::Enter => {
            let line = state.input.take();
            return on_line(state, &line);
        }
        Key::Next | Key::Down => return state.open_neighbour(1),
        Key::Previous | Key::Up => return state.open_neighbour(-1),
        Key::PageUp if state.view.scroll >= state.view.scroll_max => return state.fetch_older(),
        Key::PageUp => state.view.scroll += state.view.page.max(2) - 1,
        Key::PageDown => state.view.scroll = state.view.scroll.saturating_sub(state.view.page.max(2) - 1),
        key => state.input.edit(key),
    }
    Vec::new()
}

fn on_line(state: &mut State, line: &str) -> Vec<Effect> {
    match state.asking.take() {
        Some(Asking::OldPassword) => {
            state.asking = Some(Asking::NewPassword { old: line.to_owned() });
            return vec![state.notice("and the new password (Esc cancels)")];
        }
        Some(Asking::NewPassword { old }) => {
            return vec![Effect::ChangePassword { old, new: line.to_owned() }];
        }
        None => {}
    }
    if line.trim().is_empty() {
        return Vec::new();
    }
    match parse(line) {
        Ok(command) => on_command(state, command),
        Err(message) => vec![state.notice(message)],
    }
}

fn on_command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Say(text) => match state.open {
            Some(conversation) => state.send(conversation, text),
            None => vec![state.notice("to whom? /open NAME opens the conversation with a friend")],
        },
        Command::Tell(name, text) => match state.find(&name) {
            Ok(conversation) => state.send(conversation, text),
            Err(message) => vec![state.notice(message)],
        },
        Command::Open(name) => match state.find(&name) {
            Ok(conversation) => state.open(conversation),
            Err(message) => vec![state.notice(message)],
        },
        Command::Relate(verb, name) => vec![Effect::Relate { verb, name }],
        Command::Friends => state.say_friends(),
        Command::History => state.fetch_older(),
        Command::Retry => state.retry(),
        Command::Password => {
            state.asking = Some(Asking::OldPassword);
            vec![state.notice("the present password, please (Esc cancels)")]
        }
        Command::LogOut => vec![Effect::LogOut],
        Command::Quit => vec![Effect::Quit],
        Command::Help => {
            state.show_help = !state.show_help;
            HELP.iter()
                .map(|(usage, text)| Effect::Say(Safe::line(&format!("* {usage:<14} {text}"))))
                .collect()
        }
    }
}

impl State {
    /// The conversation with the person called `name`, whatever the case of its letters.
    fn find(&self, name: &str) -> Result<Conversation, String> {
        let found = self.people.iter().find(|(_, person)| person.name.as_str().eq_ignore_ascii_case(name));
        let unknown = || format!("{name} is not among your friends; /add {name} asks");
        let (user, person) = found.ok_or_else(unknown)?;
        let conversation = self.conversation_with(*user).ok_or_else(unknown)?;
        if person.relation == Relation::Friend || self.threads.contains_key(&conversation) {
            Ok(conversation)
        } else {
            Err(unknown())
        }
    }

    fn conversation_with(&self, user: UserId) -> Option<Conversation> {
        Conversation::direct(self.me.as_ref()?.user, user).ok()
    }

    /// Shows a conversation.
    pub(super) fn open(&mut self, conversation: Conversation) -> Vec<Effect> {
        let unread = self.unread_in(conversation) > 0;
        let thread = self.threads.entry(conversation).or_default();
        let few = thread.messages.len() < ENOUGH;
        self.view = View { unread_from: unread.then_some(thread.read + 1), ..View::default() };
        self.open = Some(conversation);
        self.show_help = false;
        match self.mode {
            Mode::Plain => {
                let title = self.title_of(conversation);
                vec![self.notice(format!("what you type goes to {title}"))]
            }
            Mode::Screen if few => self.fetch_older(),
            Mode::Screen => Vec::new(),
        }
    }

    /// Shows the conversation `step` places further down the list of people.
    fn open_neighbour(&mut self, step: isize) -> Vec<Effect> {
        let able = |relation| matches!(relation, Relation::Friend | Relation::Stranger);
        let list: Vec<_> = self
            .roster()
            .into_iter()
            .filter(|(_, person)| able(person.relation))
            .filter_map(|(user, _)| self.conversation_with(user))
            .collect();
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

    /// Asks for older messages of the open conversation, unless there are none or they are on their way.
    fn fetch_older(&mut self) -> Vec<Effect> {
        let Some(conversation) = self.open else {
            return vec![self.notice("of whom? /open NAME opens the conversation with a friend")];
        };
        let thread = self.threads.entry(conversation).or_default();
        if thread.complete || thread.fetching {
            return Vec::new();
        }
        thread.fetching = true;
        let before = thread.first().and_then(|first| Seq::new(first).ok());
        vec![Effect::History { conversation, before }]
    }

    fn send(&mut self, conversation: Conversation, text: String) -> Vec<Effect> {
        let Some(to) = self.peer_of(conversation) else {
            return vec![self.notice("this client sends to people only")];
        };
        let thread = self.threads.entry(conversation).or_default();
        if thread.pending.len() >= PENDING {
            return vec![self.notice("too many messages wait already; /retry sends again what failed")];
        }
        // Random, as its purpose demands; nothing here depends on its value.
        let client_id = Uuid::new_v4();
        thread.pending.push(Pending { client_id, text: text.clone(), stage: Stage::Sending });
        if self.open == Some(conversation) {
            self.view.scroll = 0;
        }
        vec![Effect::Send { conversation, to, client_id, text }]
    }

    /// Sends again what failed, under the same ids: what did arrive is not stored twice.
    fn retry(&mut self) -> Vec<Effect> {
        let Some(me) = self.me.as_ref().map(|me| me.user) else { return Vec::new() };
        let mut effects = Vec::new();
        for (&conversation, thread) in &mut self.threads {
            let Some(to) = conversation.peer_of(me) else { continue };
            for pending in &mut thread.pending {
                if let Stage::Failed(_) = pending.stage {
                    pending.stage = Stage::Sending;
                    let (client_id, text) = (pending.client_id, pending.text.clone());
                    effects.push(Effect::Send { conversation, to, client_id, text });
                }
            }
        }
        effects
    }

    fn say_friends(&mut self) -> Vec<Effect> {
        let lines: Vec<_> = self
            .roster()
            .into_iter()
            .map(|(user, person)| {
                let state = match person.relation {
                    Relation::Friend if person.online => "online",
                    Relation::Friend => "offline",
                    Relation::Asks => "asks you",
                    Relation::Asked => "asked by you",
                    Relation::Blocked => "blocked",
                    Relation::Stranger => "not a friend",
                };
                let unread = self.conversation_with(user).map_or(0, |there| self.unread_in(there));
                let unread = if unread > 0 { format!(", {unread} unread") } else { String::new() };
                format!("{} ({state}{unread})", person.name)
            })
            .collect();
        if lines.is_empty() {
            return vec![self.notice("no friends yet; /add NAME asks somebody")];
        }
        lines.into_iter().map(|line| self.notice(line)).collect()
    }

    /// What is shown is read: notes it, and tells the server, one call at a time for each conversation.
    fn mark_read(&mut self) -> Vec<Effect> {
        let (link, open, mode) = (&self.link, self.open, self.mode);
        let at_end = self.view.scroll == 0 && !self.show_help;
        let mut effects = Vec::new();
        for (&conversation, thread) in &mut self.threads {
            if mode == Mode::Plain || (open == Some(conversation) && at_end) {
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
