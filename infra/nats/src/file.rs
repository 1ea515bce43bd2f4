//! Files that only their owner reads, and that appear whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;

/// Writes `text` to `path`, in place of what was there.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = beside(path, text)?;
    fresh.persist(path).with_context(|| format!("can't write {}", path.display()))?;
    Ok(())
}

/// Writes what `make` makes to `path`, unless something is there: of two processes that try, one succeeds and both
/// then read the same secret.
pub(crate) fn create(path: &Path, make: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    match beside(path, &make()?)?.persist_noclobber(path) {
        Err(failed) if !path.exists() => {
            Err(failed).with_context(|| format!("can't write {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Reads `path`, and names it when that fails.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

/// A file in the same directory, with mode 0600 and on disk before anything gets its name.
fn beside(path: &Path, text: &str) -> anyhow::Result<NamedTempFile> {
    let dir = path.parent().context("a file has a directory")?;
    let mut fresh =
        NamedTempFile::new_in(dir).with_context(|| format!("can't write to {}", dir.display()))?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().sync_all()?;
    Ok(fresh)
}
