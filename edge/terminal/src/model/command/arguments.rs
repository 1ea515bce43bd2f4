//! The words behind a command.

use broker_schemas::{GroupId, Seq};

use super::HELP;

/// What follows the first word, taken one after the other.
pub(super) struct Arguments<'a> {
    pub(super) command: &'a str,
    rest: &'a str,
}

impl<'a> Arguments<'a> {
    pub(super) const fn new(command: &'a str, rest: &'a str) -> Self {
        Self { command, rest: rest.trim_ascii() }
    }

    /// The complaint that `what` is missing or wrong.
    pub(super) fn needs(&self, what: &str) -> String {
        let is_this = |usage: &&str| usage[1..].split(' ').next() == Some(self.command);
        let usage = HELP.iter().flat_map(|(_, commands)| *commands).map(|(usage, _)| *usage).find(is_this);
        format!("/{} needs {what}: {}", self.command, usage.unwrap_or("/help lists what there is"))
    }

    /// The next word, or what is between quotes.
    fn take(&mut self) -> Result<Option<&'a str>, String> {
        let (word, rest) = match self.rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| self.needs("a second quote"))?,
            None => self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, "")),
        };
        self.rest = rest.trim();
        Ok((!word.is_empty()).then_some(word))
    }

    /// The next word.
    pub(super) fn word(&mut self, what: &str) -> Result<String, String> {
        self.take()?.map(str::to_owned).ok_or_else(|| self.needs(what))
    }

    /// A name: one word, or several in quotes.
    pub(super) fn name(&mut self) -> Result<String, String> {
        self.word("a name")
    }

    /// The names that are left.
    pub(super) fn names(&mut self) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        while let Some(name) = self.take()? {
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// All that is left, as a name; it needs no quotes.
    pub(super) fn title(&mut self) -> Result<String, String> {
        let text = self.optional_text().ok_or_else(|| self.needs("a name"))?;
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(quoted.unwrap_or(&text).to_owned())
    }

    /// The same, if there is one.
    pub(super) fn optional_title(&mut self) -> Result<Option<String>, String> {
        if self.rest.is_empty() { Ok(None) } else { self.title().map(Some) }
    }

    /// All that is left.
    pub(super) fn text(&mut self) -> Result<String, String> {
        self.optional_text().ok_or_else(|| self.needs("a text"))
    }

    /// All that is left, if there is something.
    pub(super) fn optional_text(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.rest);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The number of a message.
    pub(super) fn seq(&mut self) -> Result<Seq, String> {
        self.optional_seq()?.ok_or_else(|| self.needs("the number of a message"))
    }

    /// The number of a message, if there is one.
    pub(super) fn optional_seq(&mut self) -> Result<Option<Seq>, String> {
        let Some(word) = self.take()? else { return Ok(None) };
        let number = word.strip_prefix('#').unwrap_or(word);
        number.parse().map(Some).map_err(|_| self.needs("the number of a message"))
    }

    /// The id of a group, if there is one.
    pub(super) fn optional_group(&mut self) -> Result<Option<GroupId>, String> {
        let Some(word) = self.take()? else { return Ok(None) };
        let number = word.strip_prefix('g').unwrap_or(word);
        number.parse().map(Some).map_err(|_| self.needs("the id of a group"))
    }

    /// One of several words.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T, String> {
        let word = self.take()?.unwrap_or_default();
        choices.iter().find(|(choice, _)| *choice == word).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            self.needs(&format!("one of {}", words.join(", ")))
        })
    }

    /// Nothing is left.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.needs("no more than that")) }
    }
}
