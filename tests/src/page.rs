//! Pages of which a tool writes a part.

/// Puts a text into a page, in place of what is between two marks.
///
/// # Errors
/// When the page can't be read or written, or has not both marks.
pub fn put_into(page: &str, [begin, end]: [&str; 2], text: &str) -> Result<(), String> {
    let before = std::fs::read_to_string(page).map_err(|error| error.to_string())?;
    let (head, rest) = before.split_once(begin).ok_or(format!("it has no {begin}"))?;
    let (_, tail) = rest.split_once(end).ok_or(format!("it has no {end}"))?;
    let text = text.trim();
    std::fs::write(page, format!("{head}{begin}\n\n{text}\n\n{end}{tail}")).map_err(|error| error.to_string())
}
