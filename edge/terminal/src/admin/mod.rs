//! `natter admin`: what operators, moderators and auditors do, from the shell, through an edge.
//!
//! A command is read by [`clap`], carried out in the file of its subject, and answered in words, a table, or one JSON
//! document. Who may do what, the server says.

mod announce;
mod audit;
mod campaign;
mod desk;
mod door;
mod moderate;
mod moment;
mod reports;
mod roles;
mod rules;
mod segment;
mod stats;
mod table;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use broker_schemas::Role;
use clap::{Args, Subcommand};
use natter_client::Address;
use serde_json::json;

use crate::exit::Failure;
use crate::model::explain;
use desk::Desk;

/// Run the platform as one of its operators, moderators or auditors.
///
/// Signs in like anyone, with --as NAME and a password, and stays signed in for the next command. The first operator is
/// made on the machine that holds the credentials of the bus: `natter admin grant NAME operator`, without --as.
#[derive(Debug, Args)]
#[command(
    after_help = "A moment is a time from now (90m, 2h, 7d), a date and time of this machine (2026-12-01, '2026-12-01 18:00'), or one with its zone \
                  (2026-12-01T18:00:00Z). Where it lies in the past, 7d is a week ago.\n\n\
                  Exit codes: 0 done; 1 refused; 2 wrong usage; 3 not executed, or no server; 4 it may or may not have happened."
)]
pub struct AdminArgs {
    #[command(flatten)]
    pub(crate) door: Door,
    #[command(subcommand)]
    command: Command,
}

/// Where to, as whom, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Door {
    /// Where the server is: tcp://host:port or ws://host:port/ws. Its edge must be one for administration.
    #[arg(long, env = "NATTER_SERVER", default_value = "tcp://127.0.0.1:7667", global = true)]
    server: Address,
    /// Sign in as this user.
    #[arg(id = "as", long = "as", env = "NATTER_ADMIN", value_name = "NAME", global = true)]
    name: Option<String>,
    /// The password for --as. Better in the environment, where other users of this machine can't see it; asked for on a terminal,
    /// where no session was kept.
    #[arg(long, env = "NATTER_PASSWORD", hide_env_values = true, global = true)]
    password: Option<String>,
    /// Answer with one JSON document.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Roles(roles::Command),
    #[command(flatten)]
    Announce(announce::Command),
    /// Write to many: an activity message, delivered like any message, also to who is offline
    #[command(subcommand)]
    Campaign(campaign::Command),
    #[command(flatten)]
    Moderate(moderate::Command),
    #[command(flatten)]
    Reports(reports::Command),
    #[command(flatten)]
    Rules(rules::Command),
    Stats(stats::Arguments),
    Audit(audit::Arguments),
}

/// A role that is given at the console: on the machine that holds the credentials of the bus, without signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleGrant {
    /// To whom.
    pub name: String,
    /// Which.
    pub role: Role,
    /// Where the platform keeps everything.
    pub data: PathBuf,
    /// Where the bus is, if not where the platform was started last.
    pub bus_url: Option<String>,
    /// Whether to answer with a JSON document.
    pub json: bool,
}

impl AdminArgs {
    /// What is to be done at the console, and not through an edge: a grant, when nobody is named who would sign in.
    #[must_use]
    pub fn console(&self) -> Option<ConsoleGrant> {
        match (&self.command, &self.door.name) {
            (Command::Roles(roles::Command::Grant(grant)), None) => Some(grant.at_console(self.door.json)),
            _ => None,
        }
    }
}

/// Runs `natter admin`, but for what [`AdminArgs::console`] says.
///
/// # Errors
/// Whatever went wrong; [`crate::exit_code`] says what it means for the shell.
pub async fn admin(args: AdminArgs) -> anyhow::Result<()> {
    let json = args.door.json;
    let done = run(args).await;
    if json && let Err(error) = &done {
        desk::print(&failed(error))?;
    }
    done
}

async fn run(args: AdminArgs) -> anyhow::Result<()> {
    let AdminArgs { door, command } = args;
    let visit = door::enter(&door, crate::token::directory()).await?;
    let mut desk = Desk::new(visit, door.json);
    // Boxed: one of many futures, and large.
    let done = Box::pin(carry_out(&mut desk, command)).await;
    desk.leave().await;
    done
}

async fn carry_out(desk: &mut Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Roles(command) => roles::run(desk, command).await,
        Command::Announce(command) => announce::run(desk, command).await,
        Command::Campaign(command) => campaign::run(desk, command).await,
        Command::Moderate(command) => moderate::run(desk, command).await,
        Command::Reports(command) => reports::run(desk, command).await,
        Command::Rules(command) => rules::run(desk, command).await,
        Command::Stats(arguments) => stats::run(desk, &arguments).await,
        Command::Audit(arguments) => audit::run(desk, arguments).await,
    }
}

/// What went wrong, for a script.
fn failed(error: &anyhow::Error) -> serde_json::Value {
    let (code, outcome, message) = match error.downcast_ref::<Failure>() {
        Some(Failure::Call(error)) => (error.code().name(), error.outcome().name(), explain(error)),
        Some(Failure::Unreachable(words)) => ("unavailable", "not_executed", words.clone()),
        Some(Failure::Usage(words)) => ("invalid", "not_executed", words.clone()),
        None => ("internal", "unknown", error.to_string()),
    };
    json!({"error": {"code": code, "message": message, "outcome": outcome}})
}
