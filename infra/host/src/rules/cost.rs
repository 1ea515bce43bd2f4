//! How long patterns may take to be matched, whatever the text is.
//!
//! The time is linear in the text, with a factor that the patterns decide: the characters of a pattern at which a match may
//! be at once, for each byte of the text. In the worst text that is all of them, and one in a repetition as often as it may be
//! repeated. Only words are different: however many there are, what looks for them is at one place at a time.
//! A boundary of words (`\b`) costs that advantage in a text with letters beyond ASCII, so there each word counts as one.

use broker_schemas::Error;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::{Checked, NESTING};

/// The most characters at which matches may be at once, of all patterns for names, and of all for texts. So many keep one core
/// busy for about a quarter of a second with the text of 16 KiB that does most harm, as tests are built.
const CHARACTERS: u64 = 512;

/// # Errors
/// [`broker_schemas::Code::Invalid`] when the patterns together are too costly to be matched.
pub(super) fn check<'a>(patterns: impl Iterator<Item = &'a str>) -> Checked<()> {
    let characters = patterns.map(characters).fold(0, u64::saturating_add);
    if characters > CHARACTERS {
        return Err(Error::invalid(format!(
            "rule.pattern: the rules together would take too long to apply: their patterns have {characters} characters, each \
             counted as often as it may be repeated, and may have {CHARACTERS}; in patterns that are nothing but words, a word between \
             boundaries (\\b) counts one, and others don't count"
        )));
    }
    Ok(())
}

/// Of a pattern that compiles.
fn characters(pattern: &str) -> u64 {
    // Not so that case doesn't matter: a letter of a word is one, and not two to choose from.
    match ParserBuilder::new().nest_limit(NESTING).build().parse(pattern) {
        Ok(parsed) => Shape::of(&parsed).characters(),
        Err(_) => u64::MAX,
    }
}

/// What there is in a pattern.
#[derive(Default)]
struct Shape {
    /// Bytes that a match may be at.
    characters: u64,
    choices: u32,
    words: u64,
    /// Whether there are boundaries.
    looks: bool,
    /// Whether there are classes of characters, or repetitions.
    varies: bool,
}

impl Shape {
    fn of(part: &Hir) -> Self {
        match part.kind() {
            HirKind::Empty => Self::default(),
            HirKind::Look(_) => Self { looks: true, ..Self::default() },
            HirKind::Literal(word) => Self { characters: word.0.len() as u64, words: 1, ..Self::default() },
            HirKind::Class(class) => {
                Self { characters: class.maximum_len().unwrap_or(1) as u64, varies: true, ..Self::default() }
            }
            HirKind::Repetition(repetition) => {
                let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
                let of = Self::of(&repetition.sub);
                Self { characters: of.characters.saturating_mul(times), varies: true, ..of }
            }
            HirKind::Capture(group) => Self::of(&group.sub),
            HirKind::Concat(parts) => Self::of_all(parts),
            HirKind::Alternation(parts) => {
                let all = Self::of_all(parts);
                Self { choices: all.choices.saturating_add(1), ..all }
            }
        }
    }

    fn of_all(parts: &[Hir]) -> Self {
        parts.iter().map(Self::of).fold(Self::default(), |all, part| Self {
            characters: all.characters.saturating_add(part.characters),
            choices: all.choices.saturating_add(part.choices),
            words: all.words.saturating_add(part.words),
            looks: all.looks || part.looks,
            varies: all.varies || part.varies,
        })
    }

    /// None for a word, or one of several, with others around them or not; one for each word between boundaries.
    const fn characters(&self) -> u64 {
        if self.varies || self.choices > 1 {
            self.characters
        } else if self.looks {
            self.words
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_costs_its_characters_as_often_as_they_may_be_repeated_and_words_cost_nothing() {
        for (pattern, expected) in [
            ("casino", 0),
            (r"\b(casino|poker|b\.?)\b", 13),
            ("(casino|poker|bingo)", 0),
            (r"\b(casino|poker|bingo)\b", 3),
            ("(casino|poker)(night|day)", 19),
            ("cas[i1]no", 6),
            ("[ab]{30}", 30),
            ("([ab]{30}c){10}", 310),
            ("x{3,}", 3),
            ("x{3,7}", 7),
            ("(x+x+)+y", 3),
            (r"\w", 4),
            ("[^a]", 4),
            ("ä+", 2),
        ] {
            assert_eq!(characters(pattern), expected, "{pattern}");
        }
        assert_eq!(characters(&"(".repeat(40)), u64::MAX);
    }

    #[test]
    fn what_all_patterns_cost_together_is_bounded() {
        let costly = ["[ab]{64}"; 8];
        check(costly.into_iter()).unwrap();
        let error = check(costly.into_iter().chain(["casino", "a+"])).unwrap_err();
        assert!(error.message.contains("have 513 characters"), "{error}");
    }
}
