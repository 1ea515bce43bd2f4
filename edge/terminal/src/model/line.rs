//! A line being typed.

use std::ops::Range;

/// A key, as far as Natter knows keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Backspace,
    Delete,
    DeleteWord,
    DeleteAll,
    Left,
    Right,
    Home,
    End,
    Enter,
    Escape,
    Next,
    Previous,
    Up,
    Down,
    PageUp,
    PageDown,
    Quit,
}

/// Text and a cursor in it. At most [`broker_schemas::message::TEXT_BYTES`] long.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    text: String,
    /// In bytes, always between two characters.
    cursor: usize,
}

impl Line {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// The text, leaving none.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub(crate) fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
            if self.text.len() + c.len_utf8() <= broker_schemas::message::TEXT_BYTES {
                self.text.insert(self.cursor, c);
                self.cursor += c.len_utf8();
            }
        }
    }

    /// Acts on a key that edits; others do nothing.
    pub(crate) fn edit(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace => self.remove(self.previous()..self.cursor),
            Key::Delete => self.remove(self.cursor..self.next()),
            Key::DeleteWord => {
                let kept = self.before_cursor().trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.remove(kept..self.cursor);
            }
            Key::DeleteAll => self.remove(0..self.cursor),
            Key::Left => self.cursor = self.previous(),
            Key::Right => self.cursor = self.next(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            _ => {}
        }
    }

    fn previous(&self) -> usize {
        self.before_cursor().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn next(&self) -> usize {
        self.text[self.cursor..].chars().next().map_or(self.cursor, |c| self.cursor + c.len_utf8())
    }

    fn remove(&mut self, range: Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_edit_whole_characters() {
        let mut line = Line::new("naïve 日本");
        line.edit(Key::Backspace);
        line.edit(Key::Left);
        line.edit(Key::Left);
        line.edit(Key::Left);
        line.edit(Key::Left);
        line.edit(Key::Backspace);
        assert_eq!((line.as_str(), line.before_cursor()), ("nave 日", "na"));
        line.edit(Key::End);
        line.edit(Key::DeleteWord);
        assert_eq!(line.as_str(), "nave ");
        line.edit(Key::Home);
        line.edit(Key::Delete);
        assert_eq!(line.take(), "ave ");
        assert_eq!(line.before_cursor(), "");
    }

    #[test]
    fn control_characters_are_not_typed_and_the_length_has_a_bound() {
        let mut line = Line::default();
        line.insert("a\x1b\nb");
        assert_eq!(line.as_str(), "a\nb");
        line.insert(&"é".repeat(broker_schemas::message::TEXT_BYTES));
        assert!(line.as_str().len() <= broker_schemas::message::TEXT_BYTES);
    }
}
