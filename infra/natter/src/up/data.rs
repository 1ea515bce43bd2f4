//! The directory in which `natter up` keeps everything of an installation.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The directory, as long as nobody else may use it.
#[derive(Debug)]
pub(super) struct Data {
    path: PathBuf,
    _lock: File,
}

impl Data {
    /// Opens the directory, or makes it for its owner only.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let doing = || format!("make {}", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(doing)?;
        let path = path.canonicalize()?;
        for room in ["log", "run"] {
            DirBuilder::new().recursive(true).mode(0o700).create(path.join(room)).with_context(doing)?;
        }
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bus(&self) -> PathBuf {
        self.path.join("bus")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The file with the settings of a copy.
    pub(super) fn settings_of(&self, copy: &str) -> PathBuf {
        self.path.join("run").join(format!("{copy}.toml"))
    }

    /// Lets other users pass, to a directory of theirs in it. What is ours in it keeps its own modes.
    pub(super) fn let_pass(&self) -> anyhow::Result<()> {
        Ok(std::fs::set_permissions(&self.path, Permissions::from_mode(0o711))?)
    }
}

/// Where `natter ps` and its like speak to `natter up`.
pub(super) fn control_socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}

fn lock(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join("up.lock");
    let mut lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            writeln!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            bail!("another `natter up` runs on {}; `natter ps` shows it", directory.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}
