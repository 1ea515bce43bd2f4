//! Children that end with `natter up`, however that ends.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Become a program that is killed when its parent dies.
#[derive(Debug, clap::Args)]
pub(crate) struct LeashArguments {
    /// The parent's process id
    parent: i32,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

/// Replaces this process by the program; returns only when that fails.
pub(crate) fn become_program(arguments: &LeashArguments) -> anyhow::Result<()> {
    // Set by the child itself: between fork and exec it would take `unsafe`. It stays through the exec. KILL, because
    // without the bus nothing can drain; what was acked is on disk.
    set_parent_process_death_signal(Some(Signal::KILL)).context("bind to the parent's life")?;
    // A parent that died before that sends nothing any more.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(arguments.parent) {
        bail!("the parent is gone");
    }
    let [program, rest @ ..] = arguments.command.as_slice() else { bail!("expected a program") };
    Err(Command::new(program).args(rest).exec()).with_context(|| format!("run {}", program.display()))
}
