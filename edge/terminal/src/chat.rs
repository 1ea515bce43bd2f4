//! `natter chat`: which mode, and how to begin.

use std::io::IsTerminal;

use clap::Args;
use natter_client::Address;

use crate::exit::Failure;
use crate::model::{Effect, Mode, State};
use crate::runner::Runner;
use crate::{plain, screen, token};

/// Talk to your friends, and in groups. Everything that can be done is shown on the screen, and listed by /help.
///
/// Stays signed in: started again with the same --name, it goes on without a password, until /logout. A second one at the same
/// time signs in by itself, with the password.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 left; 1 sign-in rejected; 2 wrong usage; 3 no server; 4 unknown whether it happened."
)]
pub struct ChatArgs {
    /// Where the server is: tcp://host:port or ws://host:port/ws.
    #[arg(long, env = "NATTER_SERVER", default_value = "tcp://127.0.0.1:7667")]
    pub(crate) server: Address,
    /// Your account's name; the screen asks for it otherwise.
    #[arg(long, env = "NATTER_NAME")]
    pub(crate) name: Option<String>,
    /// Your password. Better in the environment, where other users of this machine can't see it; the screen asks for it
    /// otherwise.
    #[arg(long, env = "NATTER_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Make the account first. Needs --name and a password.
    #[arg(long, requires = "name", requires = "password")]
    pub(crate) register: bool,
    /// Read lines and write lines, for scripts and simple terminals. The default when standard input or output is none.
    #[arg(long)]
    pub(crate) plain: bool,
    /// In plain mode: write the numbers of messages between two people too, as in `[bob #12] bob: hello`. Those of groups always
    /// have them.
    #[arg(long)]
    pub(crate) numbers: bool,
    /// In plain mode: go on when standard input has ended, until interrupted.
    #[arg(long)]
    pub(crate) stay: bool,
}

/// Runs `natter chat` until the person leaves.
///
/// # Errors
/// Whatever went wrong; [`crate::exit_code`] says what it means for the shell.
pub async fn chat(args: ChatArgs) -> anyhow::Result<()> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mode = if args.plain || !terminal { Mode::Plain } else { Mode::Screen };
    let mut runner = Runner::new(args.server.clone(), token::directory());
    let (mut state, first) = begin(&args, mode, &mut runner)?;
    state.numbers = args.numbers;
    match mode {
        Mode::Plain => {
            let lines = plain::lines(std::io::BufReader::new(std::io::stdin()));
            plain::run(state, runner, first, args.stay, lines, std::io::stdout()).await
        }
        Mode::Screen => screen::run(state, runner, first).await,
    }
}

/// The first state, and what to do first: resume, sign in, or ask.
fn begin(args: &ChatArgs, mode: Mode, runner: &mut Runner) -> Result<(State, Vec<Effect>), Failure> {
    let name = args.name.clone().unwrap_or_default();
    let known = args.name.clone().zip(args.password.clone());
    if !args.register && !name.is_empty() && runner.resume(&name) {
        let mut state = State::resuming(mode);
        state.spare = known;
        return Ok((state, Vec::new()));
    }
    match known {
        Some((name, password)) => {
            let state = State::signing_in_as(mode, &name);
            Ok((state, vec![Effect::SignIn { name, password, register: args.register }]))
        }
        None if mode == Mode::Plain => Err(Failure::Usage(
            "plain mode needs --name, and NATTER_PASSWORD where no session was left open, or another natter chat has it"
                .into(),
        )),
        None => Ok((State::signed_out(mode, &name), Vec::new())),
    }
}
