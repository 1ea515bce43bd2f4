//! Histories in files, one line each.

use std::io::Write;
use std::path::Path;

use super::Line;

/// Writes a history as JSON lines.
///
/// # Errors
/// When the file can't be written.
pub fn save(lines: &[Line], path: &Path) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for line in lines {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// When the file can't be read, or a line is none of a history.
pub fn load(path: &Path) -> std::io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
