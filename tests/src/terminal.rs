//! `natter chat --plain`, as a person at a simple terminal has it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::Person;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `natter chat --plain`; it is killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    process: Child,
    keyboard: Option<ChildStdin>,
    screen: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    /// Starts `natter chat --plain` for `name`, which keeps its session below `state`.
    pub fn start(server: &str, state: &Path, name: &str) -> Self {
        let mut command = Command::new(crate::program("natter"));
        Self::spawn(command.args(Self::arguments(server, name)), state)
    }

    /// The same on a device that has no session yet, with the password that every [`Person`] has.
    pub fn sign_in(server: &str, state: &Path, name: &str) -> Self {
        let mut command = Command::new(crate::program("natter"));
        let command = command.args(Self::arguments(server, name));
        Self::spawn(command.env("NATTER_PASSWORD", Person::password()), state)
    }

    /// The same for a new account, with the password that every [`Person`] has.
    pub fn register(server: &str, state: &Path, name: &str) -> Self {
        let mut command = Command::new(crate::program("natter"));
        Self::register_by(command.args(Self::arguments(server, name)), state)
    }

    /// The same, by a command that gets as far as [`Terminal::arguments`].
    pub fn register_by(command: &mut Command, state: &Path) -> Self {
        Self::spawn(command.arg("--register").env("NATTER_PASSWORD", Person::password()), state)
    }

    /// What `natter` is told.
    #[must_use]
    pub fn arguments<'a>(server: &'a str, name: &'a str) -> [&'a str; 6] {
        ["chat", "--plain", "--server", server, "--name", name]
    }

    fn spawn(command: &mut Command, state: &Path) -> Self {
        let command =
            command.env("XDG_STATE_HOME", state).env_remove("NATTER_SERVER").env_remove("NATTER_TOKEN");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = piped.spawn().unwrap();
        let (keyboard, screen) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, keyboard, screen: BufReader::new(screen).lines() }
    }

    /// Types a line.
    pub async fn say(&mut self, line: &str) {
        self.keyboard.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits for a line that begins so, whatever else comes before it.
    pub async fn see(&mut self, line: &str) {
        let mut seen = Vec::new();
        loop {
            match timeout(PATIENCE, self.screen.next_line()).await {
                Ok(Ok(Some(shown))) if shown.starts_with(line) => return,
                Ok(Ok(Some(shown))) => seen.push(shown),
                end => panic!("{line:?} was not said but {seen:?}, then {end:?}"),
            }
        }
    }

    /// Ends the input, as Ctrl-D does, and waits for the end. What was shown since the last look.
    pub async fn end(mut self) -> Vec<String> {
        self.keyboard.take();
        let mut shown = Vec::new();
        while let Some(line) = self.line().await {
            shown.push(line);
        }
        let status = timeout(PATIENCE, self.process.wait()).await.expect("an end").unwrap();
        assert!(status.success(), "{status}: {shown:?}");
        shown
    }

    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.screen.next_line()).await.expect("a line or the end within 20 s").unwrap()
    }
}
