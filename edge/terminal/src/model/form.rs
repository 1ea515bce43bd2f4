//! The form by which somebody signs in or makes an account.

use super::{Effect, Key, Line};
use crate::text::Safe;

/// What is being filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Password,
    /// Whether to make an account.
    Register,
}

/// What was filled in so far.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) name: Line,
    pub(crate) password: Line,
    pub(crate) register: bool,
    pub(crate) field: Field,
    /// Waiting for the server.
    pub(crate) busy: bool,
    /// What went wrong.
    pub(crate) error: Option<Safe>,
}

impl Form {
    pub(crate) fn new(name: &str) -> Self {
        let field = if name.is_empty() { Field::Name } else { Field::Password };
        let (name, password) = (Line::new(name), Line::default());
        Self { name, password, register: false, field, busy: false, error: None }
    }

    /// Acts on a key. Nothing changes while the server is being asked.
    pub(super) fn key(&mut self, key: Key) -> Option<Effect> {
        if self.busy {
            return None;
        }
        match (key, self.field) {
            (Key::Next | Key::Down, field) | (Key::Enter, field @ Field::Name) => self.field = field.next(),
            (Key::Previous | Key::Up, field) => self.field = field.next().next(),
            (Key::Enter, _) => return self.submit(),
            (Key::Char(' ') | Key::Left | Key::Right, Field::Register) => self.register = !self.register,
            (key, Field::Name) => self.name.edit(key),
            (key, Field::Password) => self.password.edit(key),
            (_, Field::Register) => {}
        }
        None
    }

    pub(super) fn paste(&mut self, text: &str) {
        let text = text.trim_end_matches(['\r', '\n']);
        match self.field {
            _ if self.busy => {}
            Field::Name => self.name.insert(text),
            Field::Password => self.password.insert(text),
            Field::Register => {}
        }
    }

    fn submit(&mut self) -> Option<Effect> {
        let (name, password) = (self.name.as_str().trim(), self.password.as_str());
        if name.is_empty() || password.is_empty() {
            self.error = Some(Safe::line("a name and a password, please"));
            return None;
        }
        (self.busy, self.error) = (true, None);
        Some(Effect::SignIn { name: name.to_owned(), password: password.to_owned(), register: self.register })
    }

    pub(super) fn failed(&mut self, error: &str) {
        (self.busy, self.error) = (false, Some(Safe::line(error)));
    }
}

impl Field {
    const fn next(self) -> Self {
        match self {
            Self::Name => Self::Password,
            Self::Password => Self::Register,
            Self::Register => Self::Name,
        }
    }
}
