//! One child process.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::log::Log;
use super::recipe::Recipe;

/// What is asked for its version must say it.
const VERSION_WITHIN: Duration = Duration::from_secs(2);
/// What a process that ended said last is still on its way.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A child process of a copy. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    followers: JoinSet<()>,
    pub(super) pid: u32,
    pub(super) since: SystemTime,
    pub(super) generation: usize,
    pub(super) version: String,
    /// Which file it runs.
    pub(super) program: Option<Fingerprint>,
}

impl Running {
    /// Starts the process; it may not be ready yet.
    pub(super) async fn launch(recipe: &Recipe, generation: usize, log: &Log) -> anyhow::Result<Self> {
        if let Some((path, text)) = &recipe.configuration {
            write_private(path, text).with_context(|| format!("write {}", path.display()))?;
        }
        let fingerprint = Fingerprint::of(&recipe.binary);
        let version = version(&recipe.binary).await;
        // The program that runs now, also after another has taken its place on disk.
        let mut command = Command::new("/proc/self/exe");
        command.arg("leash").arg(std::process::id().to_string()).arg("--");
        command.arg(&recipe.program).args(&recipe.arguments);
        if let Some(health) = recipe.ready.health(generation) {
            command.arg("--set").arg(format!("telemetry.listen={health}"));
        }
        // The topology says how it is configured, not whoever started `natter up`.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NATTER_") && name.to_string_lossy().contains("__") {
                command.env_remove(name);
            }
        }
        // In a process group of its own it doesn't get the terminal's Ctrl-C: what stops when, we say.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().context("start a process")?;
        let pid = child.id().context("ended at once")?;
        let mut followers = JoinSet::new();
        if let Some(said) = child.stdout.take() {
            followers.spawn(log.clone().follow(said));
        }
        if let Some(said) = child.stderr.take() {
            followers.spawn(log.clone().follow(said));
        }
        let since = SystemTime::now();
        Ok(Self { child, followers, pid, since, generation, version, program: fingerprint })
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        let _ = timeout(LAST_WORDS, async { while self.followers.join_next().await.is_some() {} }).await;
        Ok(status)
    }

    /// Asks it to stop, and kills it when it takes too long.
    pub(super) async fn stop(mut self, recipe: &Recipe, log: &Log) {
        self.signal(recipe.stop_signal);
        match timeout(recipe.stop_within(), self.ended()).await {
            Ok(Ok(status)) if !status.success() => log.write(&format!("(ended with {status})")),
            Ok(_) => {}
            Err(_) => {
                log.write(&format!("(not stopped after {:?}: killed)", recipe.stop_within()));
                let _ = self.child.kill().await;
            }
        }
    }

    /// Kills it.
    pub(super) async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    pub(super) fn signal(&self, signal: Signal) {
        // One that ended meanwhile needs none.
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Tells a program from the one that was built in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Fingerprint {
    pub(super) fn of(program: &Path) -> Option<Self> {
        let file = std::fs::metadata(program).ok()?;
        Some(Self { inode: file.ino(), length: file.len(), modified: (file.mtime(), file.mtime_nsec()) })
    }
}

/// What the program calls its version; empty when it doesn't say.
async fn version(program: &Path) -> String {
    let asked = Command::new(program).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    match timeout(VERSION_WITHIN, asked).await {
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let word = |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
            text.split_whitespace().find(word).unwrap_or_default().trim_start_matches('v').to_owned()
        }
        _ => String::new(),
    }
}

/// Writes a file that may hold a password, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let Some(directory) = path.parent() else { bail!("a file has a directory") };
    std::fs::create_dir_all(directory)?;
    let unfinished = path.with_added_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}
