//! What staff writes.

use broker_schemas::Error;

use crate::Checked;

/// Checks that a text says something.
///
/// # Errors
/// Names the field.
pub(crate) fn check_says_something(field: &str, text: &str) -> Checked<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("{field}: expected at least one character that can be seen")));
    }
    Ok(())
}
