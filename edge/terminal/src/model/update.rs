//! What a person does, and what follows from it.

use broker_schemas::{Conversation, GroupId, Seq};

use super::command::{Command, parse};
use super::{About, Act, Asking, Effect, Input, Key, Mode, Phase, State, View, Why, answer, arrive};

/// Takes `input` in. What is to be done about it.
pub(crate) fn update(state: &mut State, input: Input) -> Vec<Effect> {
    let mut effects = match input {
        Input::Key(key) => on_key(state, key),
        Input::Paste(text) => match &mut state.phase {
            Phase::SignIn(form) => {
                form.paste(&text);
                Vec::new()
            }
            Phase::Chat => {
                state.input.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
                state.tell_typing()
            }
        },
        Input::Line(line) => on_line(state, &line),
        Input::Drawn { page, scroll_max, scroll } => {
            state.view = View { page, scroll_max, scroll, from: None, ..state.view };
            Vec::new()
        }
        Input::Clock(clock) => {
            state.clock = clock;
            for thread in state.threads.values_mut() {
                thread.typing.retain(|_, until| *until > clock);
            }
            Vec::new()
        }
        Input::Update(update) => arrive::update(state, update),
        Input::Answer(answer) => answer::answer(state, answer),
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
    if let Some(panel) = &mut state.panel
        && panel.key(key, state.view.page)
    {
        return Vec::new();
    }
    match key {
        Key::Escape => {
            state.panel = None;
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
        Key::PageUp if state.open.is_none() => {}
        Key::PageUp if state.view.scroll >= state.view.scroll_max => return state.older(None),
        Key::PageUp => state.view.scroll += state.view.page.max(2) - 1,
        Key::PageDown if state.view.scroll == 0 && state.is_behind() => return state.newer(None),
        Key::PageDown => state.view.scroll = state.view.scroll.saturating_sub(state.view.page.max(2) - 1),
        key => {
            state.input.edit(key);
            if let Key::Char(_) = key {
                return state.tell_typing();
            }
        }
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
        Some(Asking::Confirm { group, act }) => return state.confirm(group, act, line),
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
        Command::Say(text) => state.in_open(|state, open| state.send(open, text, None)),
        Command::Reply(seq, text) => state.in_open(|state, open| state.send(open, text, Some(seq))),
        Command::Amend(seq, amend) => {
            state.in_open(|_, conversation| vec![Effect::Amend { conversation, seq, amend }])
        }
        Command::Readers(seq) => state.in_open(|state, open| state.ask_readers(open, seq)),
        Command::Tell(name, text) => match state.find(&name) {
            Ok(conversation) => state.send(conversation, text, None),
            Err(message) => vec![state.notice(message)],
        },
        Command::Open(name) => match state.find(&name) {
            Ok(conversation) => state.open(conversation),
            Err(message) => vec![state.notice(message)],
        },
        Command::Relate(verb, name) => vec![Effect::Relate { verb, name }],
        Command::Friends => state.say_friends(),
        Command::Conversations => vec![Effect::Conversations],
        Command::Older(than) => match state.older(than) {
            effects if effects.is_empty() => vec![state.notice("there is nothing older")],
            effects => effects,
        },
        Command::Newer(than) => state.newer(than),
        Command::Search(words) => {
            state.search = Some((words.clone(), 0));
            vec![Effect::Search { words, skip: 0 }]
        }
        Command::More => match state.search.clone() {
            Some((words, skip)) => vec![Effect::Search { words, skip }],
            None => vec![state.notice("more of what? /search WORDS finds messages")],
        },
        Command::Create(name, members) => vec![Effect::Create { name, members }],
        Command::Join(group) => vec![Effect::Join(group)],
        Command::Leave(Some(group)) => {
            let member = state.groups.contains_key(&group);
            vec![Effect::Act { group, act: Act::Leave { member } }]
        }
        Command::Leave(None) => {
            state.in_group(|_, group| vec![Effect::Act { group, act: Act::Leave { member: true } }])
        }
        Command::Groups => vec![Effect::Groups { say: true }],
        Command::About => state.in_group(|_, group| vec![Effect::GroupProfile { group, why: Why::Asked }]),
        Command::Members => state.in_group(|_, group| vec![Effect::Members { group, say: true }]),
        Command::GroupRequests => state.in_group(|_, group| vec![Effect::GroupRequests(group)]),
        Command::Act(act @ Act::Transfer(_)) if state.mode == Mode::Screen => state.be_sure(act),
        Command::Act(act) => state.in_group(|_, group| vec![Effect::Act { group, act }]),
        Command::Dissolve(Some(name)) => {
            state.in_group(|state, group| state.confirm(group, Act::Dissolve, &name))
        }
        Command::Dissolve(None) if state.mode == Mode::Screen => state.be_sure(Act::Dissolve),
        Command::Dissolve(None) => {
            vec![state.notice("say which one is meant: /dissolve NAME, of the open group")]
        }
        Command::ReportMessage(seq, why) => state.in_open(|_, conversation| {
            vec![Effect::Report { about: About::Message(conversation, seq), why }]
        }),
        Command::ReportUser(name, why) => vec![Effect::Report { about: About::User(name), why }],
        Command::Retry => state.retry(),
        Command::Password => {
            state.asking = Some(Asking::OldPassword);
            vec![state.notice("the present password, please (Esc cancels)")]
        }
        Command::LogOut => vec![Effect::LogOut],
        Command::Quit => vec![Effect::Quit],
        Command::Help => state.help(),
    }
}

impl State {
    fn is_behind(&self) -> bool {
        self.open.and_then(|open| self.threads.get(&open)).is_some_and(super::Thread::is_behind)
    }

    fn in_open(&mut self, act: impl FnOnce(&mut Self, Conversation) -> Vec<Effect>) -> Vec<Effect> {
        match self.open {
            Some(conversation) => act(self, conversation),
            None => vec![self.notice("to whom? /open NAME opens the conversation with a friend, or a group")],
        }
    }

    fn in_group(&mut self, act: impl FnOnce(&mut Self, GroupId) -> Vec<Effect>) -> Vec<Effect> {
        match self.open.and_then(Conversation::group_id) {
            Some(group) => act(self, group),
            None => vec![self.notice("in which group? /open NAME opens one")],
        }
    }

    /// Asks whether this is meant.
    fn be_sure(&mut self, act: Act) -> Vec<Effect> {
        self.in_group(|state, group| {
            let title = state.title_of(Conversation::group(group));
            let what = match &act {
                Act::Transfer(name) => format!("make {name} the owner of {title}"),
                _ => format!("end {title} for good"),
            };
            state.asking = Some(Asking::Confirm { group, act });
            vec![state.notice(format!("to {what}, type the name of the group (Esc cancels)"))]
        })
    }

    /// Does it if the name of the group was typed.
    fn confirm(&mut self, group: GroupId, act: Act, name: &str) -> Vec<Effect> {
        let conversation = Conversation::group(group);
        let title = self.title_of(conversation);
        if name.trim() == title.as_str() || name.trim() == conversation.to_string() {
            vec![Effect::Act { group, act }]
        } else {
            vec![self.notice(format!("nothing was done: the open group is called {title}"))]
        }
    }

    /// Asks who has read a message: the user's last one, if none is named.
    fn ask_readers(&mut self, conversation: Conversation, seq: Option<Seq>) -> Vec<Effect> {
        let own = |state: &Self| {
            let messages = state.threads.get(&conversation)?.messages.values().rev();
            messages.map(|stored| &stored.entry).find(|entry| state.is_me(entry.from)).map(|entry| entry.seq)
        };
        match seq.or_else(|| own(self)) {
            Some(seq) => vec![Effect::Readers { conversation, seq: Some(seq), say: true }],
            None => vec![self.notice("of which message? /readers N, with its number")],
        }
    }
}
