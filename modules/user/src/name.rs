//! What a user may be called.

use broker_schemas::Error;
pub(crate) use broker_schemas::user::PLATFORM_NAME as RESERVED;
use broker_schemas::visible::is_deceptive;

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
    fn names_that_differ_in_case_are_the_same() {
        assert_eq!(key("Alice.B"), key("aLICE.b"));
    }

    #[test]
    fn a_device_may_be_nameless() {
        assert_eq!(device(None).unwrap(), "");
        assert_eq!(device(Some(" phone ")).unwrap(), "phone");
        assert!(device(Some("a\tb")).is_err());
    }
}
