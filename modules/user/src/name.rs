//! What a user may be called.

use broker_schemas::Error;
use broker_schemas::visible::{gist, is_deceptive, is_visible};
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// The name of the platform's own account, which nobody can register.
pub(crate) const RESERVED: &str = "natter";

/// The form in which a name is unique: whatever the case of its letters.
pub(crate) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether an account may have this name.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let good_length = (2..=32).contains(&name.len());
    let good_start = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !(good_length && good_start && name.chars().all(good)) {
        let message = "name: expected 2 to 32 of A-Z a-z 0-9 _ . - beginning with a letter or digit";
        return Err(Error::invalid(message));
    }
    if key(name).replace(['_', '.', '-'], "") == RESERVED {
        return Err(Error::conflict("name: this one is the platform's own"));
    }
    Ok(())
}

/// The display name that `text` gives, without the space around it.
pub(crate) fn display_name(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=64).contains(&length) {
        return Err(Error::invalid(format!("display_name: expected 1 to 64 characters, got {length}")));
    }
    if text.chars().any(is_deceptive) || !is_visible(text) {
        return Err(Error::invalid("display_name: expected no control, direction or invisible characters"));
    }
    Ok(text.to_owned())
}

/// Checks that a display name doesn't look like the platform's own, which is `system_name` or [`RESERVED`].
pub(crate) fn check_not_the_platforms(display_name: &str, system_name: &str) -> Result<(), Error> {
    let shown = look(display_name);
    if shown == look(system_name) || shown == look(RESERVED) {
        return Err(Error::conflict("display_name: this one is the platform's own"));
    }
    Ok(())
}

/// What all texts have in common that look like this one: in another case, script or font, or with signs around it.
fn look(text: &str) -> String {
    let letters: String =
        gist(&text.nfkd().collect::<String>()).chars().filter(|c| c.is_alphanumeric()).collect();
    skeleton(&letters).collect()
}

/// What the user calls a device, without the space around it.
pub(crate) fn device(text: Option<&str>) -> Result<&str, Error> {
    let text = text.unwrap_or_default().trim();
    if text.chars().any(is_deceptive) {
        return Err(Error::invalid("device: expected no control, direction or invisible characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_begin_with_a_letter_or_digit() {
        for good in ["al", "Alice", "a.b-c_d", "7up", &"a".repeat(32)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "_al", ".al", "-al", "al ice", "älice", "a/b", "a*", "al\n", &"a".repeat(33)] {
            let error = check(bad).unwrap_err();
            assert!(error.message.starts_with("name: expected 2 to 32"), "{bad}");
        }
    }

    #[test]
    fn nobody_registers_as_the_platform() {
        for name in ["natter", "Natter", "NATTER", "natter.", "na-tter"] {
            assert_eq!(check(name).unwrap_err().code, broker_schemas::Code::Conflict);
        }
        assert!(check("natter1").is_ok());
    }

    #[test]
    fn nobody_is_shown_as_the_platform() {
        for name in [
            "Natter",
            "NATTER",
            "N a t t e r",
            "Nat\u{200d}ter",
            "Die Post",
            "die\u{a0}post",
            "DiePost",
            "Natter ✓",
            "* natter",
            "Nаtter",
            "Ｎａｔｔｅｒ",
            "𝐍𝐚𝐭𝐭𝐞𝐫",
            "Natter\u{17b4}",
            "Na\u{301}tter",
        ] {
            let refused = check_not_the_platforms(name, "Die Post").unwrap_err();
            assert_eq!(refused.code, broker_schemas::Code::Conflict, "{name}");
        }
        for name in ["Natterjack", "Post", "Die Posten"] {
            assert!(check_not_the_platforms(name, "Die Post").is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_case_are_the_same() {
        assert_eq!(key("Alice.B"), key("aLICE.b"));
    }

    #[test]
    fn a_display_name_is_visible_and_reads_as_written() {
        assert_eq!(display_name("  Älice 👩‍🚀 ").unwrap(), "Älice 👩‍🚀");
        assert_eq!(display_name(&"ä".repeat(64)).unwrap().chars().count(), 64);
        for bad in [
            "",
            "   ",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\nb",
            "a\u{0}b",
            "\u{200b}",
            "\u{200d}",
            &"ä".repeat(65),
        ] {
            assert!(display_name(bad).unwrap_err().message.starts_with("display_name: expected"), "{bad:?}");
        }
    }

    #[test]
    fn a_device_may_be_nameless() {
        assert_eq!(device(None).unwrap(), "");
        assert_eq!(device(Some(" phone ")).unwrap(), "phone");
        assert!(device(Some("a\tb")).is_err());
    }
}
