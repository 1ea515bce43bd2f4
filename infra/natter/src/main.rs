//! One program for all of Natter: `serve` runs any set of parts, `up` a whole installation, `chat`, `call` and `admin` are
//! clients, `decode` is for people who look at the bus.

mod console;
mod decode;
mod deploy;
mod ready;
mod serve;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(version, about = "Natter, a chat platform whose parts talk over NATS")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run parts of the platform: all of them, or some
    Serve(serve::ServeArguments),
    /// Chat, in this terminal
    Chat(natter_terminal::ChatArgs),
    /// Call one method through an edge, from the shell
    Call(natter_terminal::CallArgs),
    /// Run the platform: roles, broadcasts, announcements, campaigns, moderation, statistics, the audit log
    Admin(natter_terminal::AdminArgs),
    /// Show a message of the bus as JSON: for `nats sub --translate 'natter decode {{Subject}}'`
    Decode(decode::DecodeArguments),
    /// Run a whole installation on this machine, as a topology says it
    Up(up::UpArguments),
    /// Show what `natter up` runs
    Ps(up::PsArguments),
    /// Replace processes of `natter up`, one after the other: the new one serves before the old one drains
    Restart(up::TellArguments),
    /// Stop processes of `natter up`
    Stop(up::TellArguments),
    /// Start processes of `natter up` that were stopped, or given up
    Start(up::TellArguments),
    /// Let `natter up` replace what was built anew or configured otherwise: what SIGHUP does
    Reload(up::PsArguments),
    /// Replace a credential of the bus while `natter up` runs
    Rotate(up::RotateArguments),
    /// Send a share of the calls of a part or method to a copy of its own, to try a new version
    Canary(up::CanaryArguments),
    /// Make the standby of `natter up`'s database its primary
    Promote(up::PromoteArguments),
    /// Take the host of a copy of `natter up --hosts` off the network
    Cut(up::TellArguments),
    /// Put a host that was cut off back on the network
    Heal(up::TellArguments),
    /// Write a topology as what operators use: a compose file, unit files, Kubernetes manifests
    Deploy(deploy::DeployArguments),
    /// Ask a process whether it is ready; the exit status says so
    Ready(ready::ReadyArguments),
    #[command(hide = true)]
    Leash(up::LeashArguments),
    #[command(hide = true)]
    Relay(up::RelayArguments),
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    let run = async {
        match command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Chat(arguments) => natter_terminal::chat(arguments).await,
            Command::Call(arguments) => natter_terminal::call(arguments).await,
            Command::Admin(arguments) => match arguments.console() {
                Some(grant) => console::grant(&grant).await,
                None => natter_terminal::admin(arguments).await,
            },
            Command::Decode(arguments) => decode::run(&arguments),
            Command::Up(arguments) => Box::pin(up::up(arguments)).await,
            Command::Ps(arguments) => up::ps(arguments).await,
            Command::Restart(arguments) => up::restart(arguments).await,
            Command::Stop(arguments) => up::stop(arguments).await,
            Command::Start(arguments) => up::start(arguments).await,
            Command::Reload(arguments) => up::reload(arguments).await,
            Command::Rotate(arguments) => up::rotate_credential(arguments).await,
            Command::Canary(arguments) => up::try_canary(arguments).await,
            Command::Promote(arguments) => up::promote(arguments).await,
            Command::Cut(arguments) => up::cut(arguments).await,
            Command::Heal(arguments) => up::heal(arguments).await,
            Command::Relay(arguments) => up::relay(arguments).await,
            Command::Deploy(arguments) => deploy::run(&arguments),
            Command::Ready(arguments) => ready::run(arguments).await,
            Command::Leash(arguments) => up::become_program(&arguments),
        }
    };
    natter_host::block_on(run, natter_terminal::exit_code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::CommandLine::command().debug_assert();
    }
}
