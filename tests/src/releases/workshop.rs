//! Where releases are built: a copy of the sources, to which a release is a patch, and the programs made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// What is deployed: each in a process of its own, and what supervises them.
pub(super) const PROGRAMS: [&str; 7] = [
    "natter",
    "natter-user",
    "natter-friend",
    "natter-group",
    "natter-message",
    "natter-admin",
    "natter-edge",
];

/// By name, what a program consists of.
pub(super) type Checksums = BTreeMap<&'static str, String>;

/// A copy of the sources, and where they are built.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    profile: String,
}

/// The sources that this program was built from.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A release, as it is kept: what it changes in the sources.
pub fn patch(name: &str) -> PathBuf {
    root().join("tests/release").join(name)
}

/// Applies a patch to the sources in `folder`.
///
/// # Panics
/// When it doesn't apply.
pub fn apply(patch: &Path, folder: &Path) {
    let mut git = Command::new("git");
    git.args(["apply", "--whitespace=nowarn"]).arg(patch);
    // A repository around the folder would make git pass over what lies outside of it.
    git.current_dir(folder).env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap());
    let output = git.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} does not apply: {said}", patch.display());
}

impl Workshop {
    /// Copies the sources as they are. What was built here before stays only if `warm`.
    ///
    /// # Panics
    /// When the folder can't be written, or this is no clone.
    pub(super) fn open(folder: &Path, profile: &str, warm: bool) -> Self {
        if !warm {
            let _ = std::fs::remove_dir_all(folder);
        }
        let this = Self { folder: folder.to_owned(), profile: profile.to_owned() };
        let files = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap().stdout;
        let files = String::from_utf8(files).unwrap();
        let files: BTreeSet<&Path> =
            files.split('\0').filter(|file| !file.is_empty()).map(Path::new).collect();
        prune(&this.sources(), Path::new(""), &files);
        for file in files {
            let Ok(now) = std::fs::read(root().join(file)) else { continue };
            let copy = this.sources().join(file);
            // Cargo goes by times: what is as before stays as it was.
            if std::fs::read(&copy).is_ok_and(|before| before == now) {
                continue;
            }
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(copy, now).unwrap();
        }
        std::fs::create_dir_all(this.deployed()).unwrap();
        this
    }

    fn sources(&self) -> PathBuf {
        self.folder.join("sources")
    }

    /// Where the programs are that run.
    pub(super) fn deployed(&self) -> PathBuf {
        self.folder.join("programs")
    }

    /// Where the compiler puts a program.
    pub(super) fn built(&self, program: &str) -> PathBuf {
        let folder = if self.profile == "dev" { "debug" } else { &self.profile };
        self.folder.join("target").join(folder).join(program)
    }

    /// Changes the sources.
    pub(super) fn edit(&self, name: &str) {
        apply(&patch(name), &self.sources());
    }

    /// Builds programs. How long it took.
    ///
    /// # Panics
    /// When they can't be built.
    pub(super) fn build(&self, programs: &[&str]) -> Duration {
        let started = Instant::now();
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.args(["build", "--profile", &self.profile]).current_dir(self.sources());
        cargo.env("CARGO_TARGET_DIR", self.folder.join("target"));
        for program in programs {
            cargo.args(["--package", program]);
        }
        let status = cargo.status().unwrap();
        assert!(status.success(), "{programs:?} can't be built");
        started.elapsed()
    }

    /// What the programs are that were built last.
    ///
    /// # Panics
    /// When one is missing.
    pub(super) fn checksums(&self) -> Checksums {
        let of = |program: &&'static str| {
            let digest = Sha256::digest(std::fs::read(self.built(program)).unwrap());
            (*program, digest.iter().map(|byte| format!("{byte:02x}")).collect())
        };
        PROGRAMS.iter().map(of).collect()
    }

    /// Puts a program where it runs: whatever runs it goes on with the former one.
    pub(super) fn deploy(&self, program: &str) {
        copy_whole(&self.built(program), &self.deployed().join(program));
    }

    /// Keeps a program for later, which the next build would replace.
    pub(super) fn keep(&self, program: &str, name: &str) -> PathBuf {
        let kept = self.folder.join(name);
        copy_whole(&self.built(program), &kept);
        kept
    }

    /// Puts a program that was kept where it runs.
    pub(super) fn deploy_kept(&self, kept: &Path, program: &str) {
        copy_whole(kept, &self.deployed().join(program));
    }
}

/// Removes what a former copy had and this one has not.
fn prune(copy: &Path, folder: &Path, files: &BTreeSet<&Path>) {
    for entry in std::fs::read_dir(copy.join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            prune(copy, &path, files);
        } else if !files.contains(path.as_path()) {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// What differs.
pub(super) fn changed(before: &Checksums, after: &Checksums) -> Vec<&'static str> {
    before.iter().filter(|(program, sum)| after[*program] != **sum).map(|(program, _)| *program).collect()
}

/// The file is there whole, or not at all, and is another one than that which may run.
fn copy_whole(from: &Path, to: &Path) {
    let unfinished = to.with_added_extension("new");
    std::fs::copy(from, &unfinished).unwrap();
    std::fs::rename(unfinished, to).unwrap();
}
