//! The full screen: draws the state, and turns keys into inputs.

mod chat;
mod form;
mod keys;
mod list;
mod panel;
mod thread;

use std::io::stdout;
use std::time::Instant;

use anyhow::Context;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream};
use futures_util::StreamExt;
use ratatui::{DefaultTerminal, Frame};

use crate::model::{Effect, Input, Phase, State, update};
use crate::runner::Runner;

/// Runs until the person leaves. The terminal is restored however this ends, a panic included.
pub(crate) async fn run(mut state: State, mut runner: Runner, first: Vec<Effect>) -> anyhow::Result<()> {
    let mut screen = Screen::open()?;
    let mut events = EventStream::new();
    let mut ended = std::pin::pin!(ended());
    let start = Instant::now();
    let mut effects = first;
    loop {
        for effect in effects {
            if effect == Effect::Quit {
                return Ok(());
            }
            runner.run(effect);
        }
        let mut drawn = nothing_drawn();
        screen.0.draw(|frame| drawn = draw(frame, &state))?;
        effects = update(&mut state, drawn);
        if !effects.is_empty() {
            continue;
        }
        let fades = state.open.and_then(|open| state.typing_in(open).into_iter().map(|(_, left)| left).min());
        let input = tokio::select! {
            input = runner.next() => Some(input),
            event = events.next() => match event.context("the terminal is gone")?? {
                Event::Key(key) => keys::read(key).map(Input::Key),
                Event::Paste(text) => Some(Input::Paste(text)),
                // A new size, among others: drawn again.
                _ => None,
            },
            // Nobody is writing any more: drawn again.
            () = tokio::time::sleep(fades.unwrap_or_default()), if fades.is_some() => None,
            () = &mut ended => return Ok(()),
        };
        effects = update(&mut state, Input::Clock(start.elapsed()));
        effects.extend(input.map(|input| update(&mut state, input)).unwrap_or_default());
    }
}

/// Draws the state. What became visible.
fn draw(frame: &mut Frame<'_>, state: &State) -> Input {
    match &state.phase {
        Phase::SignIn(form) => {
            form::draw(frame, form);
            nothing_drawn()
        }
        Phase::Chat => chat::draw(frame, state),
    }
}

const fn nothing_drawn() -> Input {
    Input::Drawn { page: 0, scroll_max: 0, scroll: 0 }
}

/// The terminal while it is ours.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> anyhow::Result<Self> {
        // Restores the terminal when a panic comes first, too.
        let terminal = ratatui::try_init().context("the terminal can't be drawn on; try --plain")?;
        crossterm::execute!(stdout(), EnableBracketedPaste)?;
        Ok(Self(terminal))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = crossterm::execute!(stdout(), DisableBracketedPaste);
        ratatui::restore();
    }
}

/// Waits until somebody asks this process to end, or its terminal is closed.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
    #[cfg(not(unix))]
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
