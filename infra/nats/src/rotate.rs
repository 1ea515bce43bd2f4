//! A holder's credential is replaced while it is in use.
//!
//! 1. [`Bus::begin_rotation`]: there is a next credential. The servers, once they have read their configuration again,
//!    accept both.
//! 2. [`Bus::use_next`]: the next is in the place of the one in use, which becomes the former. Whoever connects from now
//!    on proves itself by the new one.
//! 3. [`Bus::end_rotation`]: there is no former one. The servers, once they have read their configuration again, cut off
//!    whoever came with it; those come back at once with the new one.
//!
//! A rotation that is interrupted leaves both accepted; beginning again goes on with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use broker_schemas::permission::Holder;

use crate::bus::{Bus, ensure_seed};

impl Bus {
    /// Makes the next credential of `holder`, and writes which are accepted.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn begin_rotation(&self, holder: Holder) -> anyhow::Result<()> {
        ensure_seed(&next(&self.seed_path(holder)))?;
        Self::open_secrets(self.dir()).map(drop)
    }

    /// Puts the next credential of `holder` in the place of the one in use.
    ///
    /// # Errors
    /// When there is none, or the directory can't be written.
    pub fn use_next(&self, holder: Holder) -> anyhow::Result<()> {
        let seed = self.seed_path(holder);
        let doing = || format!("replace {}", seed.display());
        // A copy first: at no time is there no credential.
        fs::copy(&seed, former(&seed)).with_context(doing)?;
        fs::rename(next(&seed), &seed).with_context(doing)
    }

    /// Forgets the former credential of `holder`, and writes which are accepted.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn end_rotation(&self, holder: Holder) -> anyhow::Result<()> {
        let former = former(&self.seed_path(holder));
        fs::remove_file(&former).with_context(|| format!("remove {}", former.display()))?;
        Self::open_secrets(self.dir()).map(drop)
    }
}

pub(crate) fn next(seed: &Path) -> PathBuf {
    seed.with_added_extension("next")
}

pub(crate) fn former(seed: &Path) -> PathBuf {
    seed.with_added_extension("former")
}
