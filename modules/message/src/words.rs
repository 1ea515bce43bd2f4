//! The words by which messages are found. Both databases get the same ones, so that both find the same.
//!
//! A word is a run of letters and digits, without regard to case, to accents (`é` is `e`) and to forms of writing (`ﬁ` is
//! `fi`). Chinese and Japanese are written without spaces: there, each character is a word.
//!
//! In the index, each word begins with its conversation: `u3-u7-hello`. So a search reads there what is in one's own
//! conversations, also for words that merely begin as asked.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use broker_schemas::{Conversation, Seq};
use natter_host::Dialect;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What follows in a longer word doesn't count, in characters. PostgreSQL takes 2,046 bytes.
const WORD_CHARS: usize = 64;
/// The most words in a question.
pub(crate) const WORDS_MAX: usize = 32;
/// Where a [`question`] wants the conversation. No word has it.
pub(crate) const SCOPE: char = '~';

/// The different words of a text.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut word = String::new();
    let mut length = 0;
    let folded = text
        .nfkd()
        .filter(|c| !is_accent(*c))
        // Upwards and down again: that is how ß meets SS, and ς meets Σ.
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    for c in folded {
        let is_mark = is_combining_mark(c);
        let ends = !is_mark && (!c.is_alphanumeric() || stands_alone(c) || word.starts_with(stands_alone));
        if ends && !word.is_empty() {
            words.insert(std::mem::take(&mut word));
            length = 0;
        }
        if (c.is_alphanumeric() || is_mark) && length < WORD_CHARS {
            word.push(c);
            length += 1;
        }
    }
    if !word.is_empty() {
        words.insert(word);
    }
    words
}

/// The accents of Latin, Greek and Cyrillic. The marks of other scripts make other words.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Han characters and kana.
const fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// What the index has for a message: its words, and its place. Empty if the text has no word.
pub(crate) fn indexed(conversation: Conversation, seq: Seq, text: &str) -> String {
    let words = words(text);
    if words.is_empty() {
        return String::new();
    }
    let mut all = place(conversation, seq);
    for word in words {
        // Writing to a string can't fail.
        let _ = write!(all, " {conversation}-{word}");
    }
    all
}

/// The one word that only this message has. No other word has two dashes in a row.
pub(crate) fn place(conversation: Conversation, seq: Seq) -> String {
    format!("{conversation}--{seq}")
}

/// What to ask the database so as to find these words, or words that begin so; [`SCOPE`] stands where the conversation and
/// a dash belong.
pub(crate) fn question(dialect: Dialect, words: &BTreeSet<String>) -> String {
    // A word consists of letters, digits and marks, so no quote can end early.
    let (quote, prefix, and) = match dialect {
        Dialect::Sqlite => ('"', " *", " AND "),
        Dialect::Postgres => ('\'', ":*", " & "),
    };
    let terms: Vec<_> = words.iter().map(|word| format!("{quote}{SCOPE}{word}{quote}{prefix}")).collect();
    terms.join(and)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn a_word_is_found_whatever_its_case_accents_and_form() {
        assert_eq!(of("Straße"), of("STRASSE"));
        assert_eq!(of("café"), of("CAFE\u{301}"));
        assert_eq!(of("ΟΔΟΣ"), of("οδος"));
        assert_eq!(of("oﬃce ＡＢＣ"), ["abc", "office"]);
        assert_eq!(of("İstanbul"), of("istanbul"));
    }

    #[test]
    fn words_end_where_letters_and_digits_do_and_each_counts_once() {
        assert_eq!(of("Hello, hello-world! x_9 \"~'* AND\n"), ["9", "and", "hello", "world", "x"]);
        assert!(of(" .,-\u{200b}👋 ").is_empty());
    }

    #[test]
    fn where_nothing_parts_words_each_character_is_one() {
        assert_eq!(of("你好 abc世界"), ["abc", "世", "你", "好", "界"]);
        // A voiced kana is one character, written as two.
        assert_eq!(of("が").len(), 1);
    }

    #[test]
    fn marks_that_make_another_word_stay() {
        assert_ne!(of("कि"), of("क"));
        assert_eq!(of("हिन्दी").len(), 1);
    }

    #[test]
    fn a_word_of_any_length_fits_the_index() {
        let long = of(&"ä".repeat(5_000));
        assert_eq!(long, ["a".repeat(WORD_CHARS)]);
        assert!(of(&"\u{1d11e}x\u{93f}".repeat(9_000)).iter().all(|word| word.len() < 1_024));
    }

    #[test]
    fn no_word_can_leave_its_quotes_or_its_conversation() {
        let nasty = (0..=0x0010_ffff_u32).filter_map(char::from_u32).map(|c| format!("a{c}b"));
        for word in nasty.flat_map(|text| words(&text)) {
            assert!(!word.contains(['~', '-', '"', '\'', '\\', ' ', '*', ':', '&', '\0']), "{word:?}");
            assert!(!word.chars().any(|c| c.is_whitespace() || c.is_ascii_uppercase()), "{word:?}");
        }
    }
}
