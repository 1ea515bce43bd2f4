//! Text that a terminal can be trusted with.

use unicode_width::UnicodeWidthChar;

/// Text in which nothing is a command to a terminal: no control character, no escape sequence, nothing that reverses or
/// hides what follows. The only text that screen and plain mode write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Safe(String);

impl Safe {
    /// `text` as one line; line ends become visible.
    pub(crate) fn line(text: &str) -> Self {
        Self(text.chars().map(neutral).collect())
    }

    /// `text`, which may have several lines.
    pub(crate) fn text(text: &str) -> Self {
        Self(text.replace("\r\n", "\n").chars().map(|c| if c == '\n' { c } else { neutral(c) }).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text in lines that are at most `width` columns wide, broken between words where that is possible.
    pub(crate) fn wrap(&self, width: usize) -> Vec<String> {
        self.0.split('\n').flat_map(|line| wrap_line(line, width.max(2))).collect()
    }
}

impl std::fmt::Display for Safe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A harmless stand-in for a character that a terminal would act on, and every other character as it is.
fn neutral(c: char) -> char {
    match c {
        '\t' => ' ',
        // The Unicode pictures of the control characters.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        // C1 controls (some terminals take U+009B for an escape sequence), line and paragraph separators, directional
        // overrides and isolates, tags, and other invisible characters that make one text look like another.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// How many columns `c` takes; characters that combine with the one before take none.
pub(crate) fn width_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    // Where the last word of `current` begins, and how many columns come before it.
    let mut word = (0, 0);
    for c in line.chars() {
        if used + width_of(c) > width {
            let (start, before) = word;
            let rest = if start > 0 && c != ' ' { current.split_off(start) } else { String::new() };
            used = if rest.is_empty() { 0 } else { used - before };
            lines.push(std::mem::replace(&mut current, rest));
            word = (0, 0);
            if c == ' ' {
                continue;
            }
        }
        current.push(c);
        used += width_of(c);
        if c == ' ' {
            word = (current.len(), used);
        }
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_survives() {
        let attack = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\r\x08\x7f\u{202e}evil\u{2066}";
        let safe = Safe::text(attack);
        assert!(!safe.as_str().chars().any(char::is_control), "{safe:?}");
        assert!(!safe.as_str().contains(['\u{202e}', '\u{2066}']), "{safe:?}");
        assert!(safe.as_str().starts_with("␛]0;owned␇␛[2J"));
    }

    #[test]
    fn a_line_end_cannot_fake_another_line() {
        assert_eq!(Safe::line("hello\nbob: gotcha").as_str(), "hello␊bob: gotcha");
        assert_eq!(Safe::text("a\r\nb").as_str(), "a\nb");
    }

    #[test]
    fn ordinary_text_of_every_script_is_left_alone() {
        for text in ["naïve café", "日本語", "مرحبا", "👩\u{200d}👧 family", "e\u{301}"] {
            assert_eq!(Safe::line(text).as_str(), text);
        }
    }

    #[test]
    fn lines_break_between_words_and_count_columns_not_characters() {
        assert_eq!(Safe::text("one two three").wrap(8), ["one two ", "three"]);
        assert_eq!(Safe::text("one two").wrap(3), ["one", "two"]);
        assert_eq!(Safe::text("日本語").wrap(4), ["日本", "語"]);
        assert_eq!(Safe::text("abcdefg").wrap(3), ["abc", "def", "g"]);
        assert_eq!(Safe::text("a\n\nb").wrap(9), ["a", "", "b"]);
    }
}
