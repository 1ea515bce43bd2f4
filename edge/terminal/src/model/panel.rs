//! A list that lies over the conversation, until it is closed.

use super::{Effect, HELP, Key, Mode, State};
use crate::text::Safe;

/// A list, and how far it was scrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Safe>,
    /// How many lines are above the screen.
    pub(crate) scroll: usize,
}

/// What the keys do that a person can't guess.
const KEYS: &[(&str, &str)] = &[
    ("Tab, ↑, ↓", "another conversation"),
    ("PgUp, PgDn", "older, newer messages; up and down here"),
    ("Ctrl-U, Ctrl-W", "delete the line, a word"),
    ("Esc", "close this"),
];

impl Panel {
    fn new(title: &'static str, lines: Vec<Safe>) -> Self {
        Self { title, lines, scroll: 0 }
    }

    /// Acts on a key. Whether it was one for the panel.
    pub(super) fn key(&mut self, key: Key, page: usize) -> bool {
        let step = match key {
            Key::PageUp | Key::PageDown => page.max(2) - 1,
            _ => 1,
        };
        match key {
            Key::PageUp | Key::Up => self.scroll = self.scroll.saturating_sub(step),
            Key::PageDown | Key::Down => {
                self.scroll = (self.scroll + step).min(self.lines.len().saturating_sub(1));
            }
            _ => return false,
        }
        true
    }
}

impl State {
    /// Shows a list: over the conversation, or line by line.
    pub(super) fn list<T: AsRef<str>>(
        &mut self,
        title: &'static str,
        lines: impl IntoIterator<Item = T>,
    ) -> Vec<Effect> {
        let lines = lines.into_iter().map(|line| Safe::line(line.as_ref()));
        match self.mode {
            Mode::Screen => {
                self.panel = Some(Panel::new(title, lines.collect()));
                Vec::new()
            }
            Mode::Plain => lines.map(|line| Effect::Say(Safe::line(&format!("* {line}")))).collect(),
        }
    }

    /// Shows what can be typed, or no longer.
    pub(super) fn help(&mut self) -> Vec<Effect> {
        const TITLE: &str = "Help";
        if self.panel.take_if(|panel| panel.title == TITLE).is_some() {
            return Vec::new();
        }
        let row = |(usage, text): &(&str, &str)| format!("{usage:<20} {text}");
        let mut lines = Vec::new();
        for (heading, commands) in HELP {
            if !lines.is_empty() && self.mode == Mode::Screen {
                lines.push(String::new());
            }
            lines.push(format!("{heading}:"));
            lines.extend(commands.iter().map(row));
        }
        if self.mode == Mode::Screen {
            lines.extend([String::new(), "Keys:".to_owned()]);
            lines.extend(KEYS.iter().map(row));
        }
        self.list(TITLE, lines)
    }
}
