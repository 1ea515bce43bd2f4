//! One program for all of Natter: `serve` runs any set of parts, `chat`, `call` and `admin` are clients, `decode` is for
//! people who look at the bus.

mod console;
mod decode;
mod serve;

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
