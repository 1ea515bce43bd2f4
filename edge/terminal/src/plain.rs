//! Lines in, lines out: for scripts, simple terminals, and tests.

use std::io::{BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{Answer, Effect, Input, Link, State, update};
use crate::runner::Runner;

/// How long nothing must have happened, after the last line, before leaving: what was missed is still coming in.
const QUIET: Duration = Duration::from_secs(1);

/// Runs until standard input ends (with `stay`: until interrupted), the session is over, or a line says so.
///
/// A line is taken when what the one before began has ended, so that a script can rely on it.
pub(crate) async fn run(
    mut state: State,
    mut runner: Runner,
    first: Vec<Effect>,
    stay: bool,
    mut lines: mpsc::Receiver<String>,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let mut more = true;
    let mut under_way = 0;
    let mut was_online = false;
    if carry_out(first, &mut runner, &mut under_way, &mut out)? {
        return Ok(());
    }
    loop {
        was_online |= state.link == Link::Online;
        let ready = was_online && under_way == 0;
        let input = tokio::select! {
            input = runner.next() => {
                under_way -= usize::from(matches!(input, Input::Answer(_)));
                input
            }
            line = lines.recv(), if ready && more => match line {
                Some(line) => Input::Line(line),
                None => {
                    more = false;
                    continue;
                }
            },
            () = tokio::time::sleep(QUIET), if ready && !more && !stay => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let failed = matches!(&input, Input::Answer(Answer::SignedIn(Err(_))));
        if carry_out(update(&mut state, input), &mut runner, &mut under_way, &mut out)? || failed {
            break;
        }
    }
    match runner.failure {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

/// Reads lines on a thread of its own: unlike a task, it does not keep the process when there is a line too few.
pub(crate) fn lines(mut input: impl BufRead + Send + 'static) -> mpsc::Receiver<String> {
    let (read, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            if read.blocking_send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    lines
}

/// Starts what there is to do, and writes what there is to say. Whether to leave.
fn carry_out(
    effects: Vec<Effect>,
    runner: &mut Runner,
    under_way: &mut usize,
    out: &mut impl Write,
) -> std::io::Result<bool> {
    let mut leave = false;
    for effect in effects {
        match effect {
            Effect::Say(line) => {
                writeln!(out, "{line}")?;
                out.flush()?;
            }
            Effect::Quit => leave = true,
            effect => *under_way += usize::from(runner.run(effect)),
        }
    }
    Ok(leave)
}

#[cfg(test)]
#[path = "../../client/tests/fake_edge/mod.rs"]
mod fake_edge;

#[cfg(test)]
mod tests;
