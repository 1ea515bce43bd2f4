//! `natter ps`, `restart`, `stop`, `start`, `reload`: what speaks to a running `natter up`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::control::{Reply, Request, ask};
use super::slot::{Shown, State};

/// Which installation to show.
#[derive(Debug, clap::Args)]
pub(crate) struct PsArguments {
    /// Where `natter up` keeps everything
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What to change of which installation.
#[derive(Debug, clap::Args)]
pub(crate) struct TellArguments {
    /// A copy such as message.1, or all copies of a process or part
    what: String,
    /// Where `natter up` keeps everything
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// Whose credential to replace.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    /// A part, or operator
    holder: String,
    /// For how many seconds both credentials are accepted
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    keep: u64,
    /// Where `natter up` keeps everything
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// When the standby becomes the primary.
#[derive(Debug, clap::Args)]
pub(crate) struct PromoteArguments {
    /// Kill the primary, rather than let it hand over everything: when it hangs
    #[arg(long)]
    now: bool,
    /// Where `natter up` keeps everything
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// What to try on whom.
#[derive(Debug, clap::Args)]
pub(crate) struct CanaryArguments {
    /// A part, or one method of it: message.send
    what: String,
    /// The share of its calls, in percent, 90 at most; 0 ends it
    percent: u8,
    /// The program of the canary, instead of that of the other copies as it is on disk now
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where `natter up` keeps everything
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// Shows every copy.
#[allow(clippy::print_stdout)]
pub(crate) async fn ps(arguments: PsArguments) -> anyhow::Result<()> {
    ask(&arguments.data, &Request::Ps, |reply| {
        if arguments.json {
            println!("{}", serde_json::to_string(&reply).unwrap_or_default());
        } else if let Reply::Copies { topology, pid, copies } = reply {
            print!("{}", table(&copies, now()));
            println!("topology {topology}, process {pid}");
        }
    })
    .await
}

pub(crate) async fn restart(arguments: TellArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Restart { what: arguments.what }).await
}

pub(crate) async fn stop(arguments: TellArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Stop { what: arguments.what }).await
}

pub(crate) async fn start(arguments: TellArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Start { what: arguments.what }).await
}

pub(crate) async fn rotate(arguments: RotateArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Rotate { holder: arguments.holder, keep: arguments.keep }).await
}

pub(crate) async fn canary(arguments: CanaryArguments) -> anyhow::Result<()> {
    let CanaryArguments { what, percent, program, data } = arguments;
    // `natter up` may run in another directory.
    let program = program.map(|program| program.canonicalize()).transpose()?;
    tell(data, Request::Canary { what, percent, program }).await
}

pub(crate) async fn cut(arguments: TellArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Cut { host: arguments.what }).await
}

pub(crate) async fn heal(arguments: TellArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Heal { host: arguments.what }).await
}

pub(crate) async fn promote(arguments: PromoteArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Promote { now: arguments.now }).await
}

pub(crate) async fn reload(arguments: PsArguments) -> anyhow::Result<()> {
    tell(arguments.data, Request::Reload).await
}

#[allow(clippy::print_stdout)]
async fn tell(data: PathBuf, request: Request) -> anyhow::Result<()> {
    ask(&data, &request, |reply| {
        if let Reply::Did(what) = reply {
            println!("{what}");
        }
    })
    .await
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The copies as columns.
fn table(copies: &[Shown], now: Duration) -> String {
    let mut rows =
        vec![["COPY", "STATE", "PID", "UP", "RESTARTS", "VERSION", "ADDRESSES"].map(str::to_owned)];
    rows.extend(copies.iter().map(|shown| row(shown, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(shown: &Shown, now: Duration) -> [String; 7] {
    let state = match shown.state {
        State::Starting => "starting",
        State::Ready => "ready",
        State::NotReady => "not ready",
        State::Replacing => "replacing",
        State::Waiting => "waiting",
        State::Failed => "failed",
        State::Stopping => "stopping",
        State::Stopped => "stopped",
    };
    let dash = || "-".to_owned();
    let up =
        shown.since.map_or_else(dash, |since| duration(now.saturating_sub(Duration::from_millis(since))));
    let mut last: Vec<_> = shown.addresses.iter().map(|(key, address)| format!("{key} {address}")).collect();
    if let Some(role) = &shown.role {
        last.push(format!("({role})"));
    }
    if let (State::Waiting | State::Failed, Some(trouble)) = (shown.state, &shown.trouble) {
        last.push(format!("({trouble})"));
    }
    [
        shown.copy.clone(),
        state.to_owned(),
        shown.pid.map_or_else(dash, |pid| pid.to_string()),
        up,
        shown.restarts.to_string(),
        shown.version.clone(),
        last.join("  "),
    ]
}

/// The two largest units: `3h 5m`, `12s`.
fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, hours, _, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_was_given_up_says_why() {
        let shown = Shown {
            copy: "message.1".into(),
            process: "message".into(),
            state: State::Failed,
            pid: None,
            since: None,
            restarts: 5,
            version: "0.1.0".into(),
            addresses: [("edge.tcp".to_owned(), "127.0.0.1:7667".to_owned())].into(),
            role: None,
            trouble: Some("ended with exit status: 1".into()),
        };
        let expected = "\
COPY       STATE   PID  UP  RESTARTS  VERSION  ADDRESSES
message.1  failed  -    -   5         0.1.0    edge.tcp 127.0.0.1:7667  (ended with exit status: 1)
";
        assert_eq!(table(&[shown], Duration::ZERO), expected);
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let shown = [5, 65, 3605, 90_000].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5s", "1m 5s", "1h 0m", "1d 1h"]);
    }
}
