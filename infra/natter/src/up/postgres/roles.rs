//! Which server is the primary, and whether the other one may take its place: on disk, so that it holds whatever ends.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Who is what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roles {
    /// The number of the primary.
    pub(super) primary: usize,
    /// Whether the standby has all that was ever acked, and the primary acks nothing that it doesn't have.
    pub(super) replicated: bool,
}

impl Roles {
    /// None when there is no database yet.
    pub(super) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// On disk when this returns: what follows relies on it.
    pub(super) fn write(self, path: &Path) -> anyhow::Result<()> {
        crate::up::write_private(path, &serde_json::to_string(&self)?)?;
        File::open(path)?.sync_all()?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}
