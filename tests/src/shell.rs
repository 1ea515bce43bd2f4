//! `natter admin`, as somebody at a shell has it.

use std::path::PathBuf;
use std::process::Stdio;

use broker_schemas::Role;
use natter_client::Address;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{Person, Platform};

/// Somebody who signs in for administration.
#[derive(Debug, Clone)]
pub struct Shell {
    name: String,
    server: String,
    state: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// The document that it answered.
    pub json: Value,
    /// What it said otherwise.
    pub error: String,
}

impl Ended {
    /// The document of a command that was done.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn done(self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        self.json
    }

    /// The code of a refusal.
    ///
    /// # Panics
    /// When there was none.
    #[track_caller]
    #[must_use]
    pub fn refused(&self) -> String {
        assert_ne!(self.code, 0, "{self:?}");
        self.json["error"]["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl Shell {
    /// Of an account that [`Person::register`] made, at an edge.
    #[must_use]
    pub fn of(platform: &Platform, server: &Address, name: &str) -> Self {
        Self { name: name.to_owned(), server: server.to_string(), state: platform.directory().join("state") }
    }

    /// Runs `natter admin … --json`, signed in.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        run(self.command(arguments).arg("--json")).await
    }

    /// Starts `natter admin …`, signed in; what it writes can be read.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = admin();
        command.args(["--as", &self.name, "--server", &self.server]).args(arguments);
        command.env("NATTER_PASSWORD", Person::password()).env("XDG_STATE_HOME", &self.state);
        command
    }
}

/// Gives a role at the console: on the machine that holds the credentials of the bus.
///
/// # Panics
/// When that fails.
pub async fn grant_at_console(platform: &Platform, name: &str, role: Role) -> Value {
    let mut command = admin();
    command.args(["grant", name, role.name(), "--json", "--data"]).arg(platform.directory());
    run(&mut command).await.done()
}

fn admin() -> Command {
    let mut command = Command::new(crate::program("natter"));
    command.arg("admin");
    // A test's own environment must not configure what it tests.
    for variable in ["NATTER_SERVER", "NATTER_ADMIN", "NATTER_TOKEN"] {
        command.env_remove(variable);
    }
    command
}

async fn run(command: &mut Command) -> Ended {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let (said, error) = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).into();
    let json = if said.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
    };
    Ended { code: output.status.code().unwrap_or(-1), json, error }
}
