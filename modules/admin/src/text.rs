//! What staff writes.

use broker_schemas::Error;
use broker_schemas::visible::is_visible;

use crate::Checked;

/// Checks that a text says something, and can be stored.
///
/// # Errors
/// Names the field.
pub(crate) fn check_says_something(field: &str, text: &str) -> Checked<()> {
    if !is_visible(text) {
        return Err(Error::invalid(format!("{field}: expected at least one character that can be seen")));
    }
    if text.contains('\0') {
        return Err(Error::invalid(format!("{field}: the character U+0000 is not accepted")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_says_nothing() {
        assert!(check_says_something("text", " Spring \u{2600}\u{fe0f}\n").is_ok());
        for bad in ["", " \n", "\u{200b}", "\u{200d}\u{fe0f}", "\u{3164}\u{2800}", "\u{202e}", "a\0"] {
            assert!(check_says_something("text", bad).unwrap_err().message.starts_with("text: "), "{bad:?}");
        }
    }
}
