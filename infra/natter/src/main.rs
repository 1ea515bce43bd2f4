//! One program for all of Natter: `serve` runs any set of parts, `chat` and `call` are clients, `decode` is for people
//! who look at the bus.

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
    Serve(serve::Arguments),
    /// Chat, in this terminal
    Chat(natter_terminal::ChatArgs),
    /// Call one method through an edge, from the shell
    Call(natter_terminal::CallArgs),
    /// Show a message of the bus as JSON: for `nats sub --translate 'natter decode {{Subject}}'`
    Decode(decode::Arguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Serve(arguments) => natter_host::block_on(serve::run(arguments)),
        Command::Chat(arguments) => natter_host::block_on(natter_terminal::chat(arguments)),
        Command::Call(arguments) => natter_terminal::call(arguments),
        Command::Decode(arguments) => natter_host::block_on(async { decode::run(&arguments) }),
    }
}
