//! What names may consist of, so that everybody sees them, and sees them as they are.

/// Whether `c` can't be seen, or makes the text around it read otherwise. The two joiners are neither: Persian and emoji are
/// written with them.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{17b4}' | '\u{17b5}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(c, '\u{1d173}'..='\u{1d17a}')
}

/// Whether there is anything to see in `text`: more than white space, fillers, joiners and what chooses the form of the
/// character before it.
#[must_use]
pub fn is_visible(text: &str) -> bool {
    !text.chars().all(is_blank)
}

/// What two texts have in common that differ in the case of their letters, and in what can't be seen, only.
#[must_use]
pub fn gist(text: &str) -> String {
    text.chars().filter(|c| !is_blank(*c)).flat_map(char::to_lowercase).collect()
}

fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || is_deceptive(c)
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{16fe4}' | '\u{1d159}')
        // Marks that belong to the letter before them.
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
        || matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_with_joiners_and_forms_is_no_deception() {
        for text in ["Älice", "👩\u{200d}🚀", "❤\u{fe0f}", "می\u{200c}خواهم", "日本 語"] {
            assert!(!text.chars().any(is_deceptive) && is_visible(text), "{text}");
        }
    }

    #[test]
    fn what_hides_or_turns_text_around_is() {
        for c in [
            '\0', '\n', '\u{85}', '\u{ad}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}',
            '\u{feff}',
        ] {
            assert!(is_deceptive(c), "{c:?}");
        }
    }

    #[test]
    fn case_and_what_cannot_be_seen_make_no_other_text() {
        for text in
            ["Natter", "NATTER", " n a t\u{a0}ter ", "Nat\u{200d}ter\u{fe0f}", "\u{3164}natter\u{e0041}"]
        {
            assert_eq!(gist(text), "natter", "{text:?}");
        }
        assert_ne!(gist("Natter 2"), gist("Natter"));
    }

    #[test]
    fn what_shows_nothing_is_not_visible() {
        for text in [
            "",
            "  ",
            "\u{200d}",
            "\u{200c}\u{fe0f}",
            "\u{3164}",
            "\u{200b}",
            "\u{2800} ",
            "\u{17b4}",
            "\u{1d173}",
            "\u{301}",
        ] {
            assert!(!is_visible(text), "{text:?}");
        }
    }
}
