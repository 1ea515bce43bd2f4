//! `natter call`: one call, for scripts and the curious.

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::Context;
use broker_schemas::{Text, user};
use clap::Args;
use natter_client::{Address, Client, Encoding, Options};

use crate::exit::Failure;

/// How long `natter call` waits for an answer unless told otherwise, in seconds.
const TIMEOUT_S: u64 = 10;

/// Calls one method and prints its reply, as JSON, on standard output. What went wrong goes to standard error.
///
/// Exit codes: 0 done; 1 rejected; 2 wrong usage; 3 not executed, or no server; 4 it may or may not have happened.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: natter call --as alice message.history '{\"conversation\":\"u3-u7\",\"limit\":3}'"
)]
pub struct CallArgs {
    /// Where the server is: tcp://host:port or ws://host:port/ws.
    #[arg(long, env = "NATTER_SERVER", default_value = "tcp://127.0.0.1:7667")]
    server: Address,
    /// Sign in as this user first, and out afterwards; needs a password.
    #[arg(long = "as", value_name = "NAME", requires = "password", conflicts_with = "token")]
    name: Option<String>,
    /// The password for --as. Better in the environment, where other users of this machine can't see it.
    #[arg(long, env = "NATTER_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Open the session of this token first (`user.resume`). The same token can be given again until its successor, which
    /// this command drops, would be used.
    #[arg(long, env = "NATTER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How long to wait for the answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Which method: service.method, or service.v2.method.
    method: String,
    /// The request in JSON; `-` reads it from standard input.
    #[arg(default_value = "{}")]
    body: String,
}

/// Runs `natter call`.
///
/// # Errors
/// Whatever went wrong; [`crate::exit_code`] says what it means for the shell.
pub async fn call(args: CallArgs) -> anyhow::Result<()> {
    let body = match args.body.as_str() {
        "-" => {
            let mut body = String::new();
            std::io::stdin().read_to_string(&mut body).context("reading the request from standard input")?;
            body
        }
        body => body.to_owned(),
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&body)
        .map_err(|error| Failure::Usage(format!("the request is not JSON: {error}")))?;

    let options = Options { encoding: Encoding::Json, ..Options::default() };
    let (client, _events) = Client::connect_with(&args.server, &options).await.map_err(Failure::from)?;
    sign_in(&client, &args).await?;
    let limit = Duration::from_secs(args.timeout);
    let reply = client.call_raw(&args.method, body.as_bytes(), limit).await;
    if args.name.is_some() {
        // The session was for this call only. That it may stay behind is no reason to fail.
        let _ = client.call(&user::Logout {}).await;
    }
    let reply = reply.map_err(Failure::from)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&reply)?;
    out.write_all(b"\n")?;
    Ok(())
}

async fn sign_in(client: &Client, args: &CallArgs) -> Result<(), Failure> {
    if let Some(token) = &args.token {
        let token = Text::new(token.as_str()).map_err(|error| Failure::Usage(format!("--token: {error}")))?;
        client.call(&user::Resume { token }).await?;
    } else if let (Some(name), Some(password)) = (&args.name, &args.password) {
        let name = Text::new(name.as_str()).map_err(|error| Failure::Usage(format!("--as: {error}")))?;
        let password =
            Text::new(password.as_str()).map_err(|error| Failure::Usage(format!("--password: {error}")))?;
        let device = Text::new("natter call").ok();
        client.call(&user::Login { name, password, device }).await?;
    }
    Ok(())
}
