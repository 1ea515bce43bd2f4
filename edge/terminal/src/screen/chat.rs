//! The list, the conversation, the line being typed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::{list, panel, thread};
use crate::model::{Asking, Input, Link, State};
use crate::text::{Safe, width_of};

/// How wide the list is, in columns, where there is room for it.
const LIST: u16 = 26;
/// What a person must know to find out the rest.
const KEYS: &str = " /help: all commands   Tab: next conversation   PgUp: older messages   Ctrl-C: leave";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) -> Input {
    let rows = [Constraint::Min(3), Constraint::Length(3), Constraint::Length(1), Constraint::Length(1)];
    let [body, input, status, keys] = Layout::vertical(rows).areas(frame.area());
    let width = if body.width >= 3 * LIST { LIST } else { body.width / 3 };
    let [left, right] = Layout::horizontal([Constraint::Length(width), Constraint::Min(10)]).areas(body);
    list::draw(frame, state, left);
    let drawn = thread::draw(frame, state, right);
    draw_input(frame, state, input);
    draw_status(frame, state, status);
    frame.render_widget(Line::from(KEYS).dim(), keys);
    if let Some(shown) = &state.panel {
        panel::draw(frame, shown, body);
    }
    drawn
}

fn draw_input(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let prompt = match &state.asking {
        Some(Asking::OldPassword) => " present password ".to_owned(),
        Some(Asking::NewPassword { .. }) => " new password ".to_owned(),
        Some(Asking::Confirm { .. }) => " the name of the group, to be sure ".to_owned(),
        None => match state.open {
            Some(open) => format!(" to {} ", state.title_of(open)),
            None => " type /help ".to_owned(),
        },
    };
    let shown = |text: &str| match &state.asking {
        Some(Asking::OldPassword | Asking::NewPassword { .. }) => "•".repeat(text.chars().count()),
        _ => Safe::line(text).to_string(),
    };
    let block = Block::bordered().title(prompt);
    let inner = block.inner(area);
    let before: usize = shown(state.input.before_cursor()).chars().map(width_of).sum();
    // The cursor stays visible in a long line.
    let first = (before + 1).saturating_sub(usize::from(inner.width));
    let line =
        Paragraph::new(shown(state.input.as_str())).scroll((0, u16::try_from(first).unwrap_or(u16::MAX)));
    frame.render_widget(line.block(block), area);
    let column = u16::try_from(before.saturating_sub(first)).unwrap_or_default();
    frame.set_cursor_position(Position::new(inner.x + column, inner.y));
}

fn draw_status(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let link = match &state.link {
        Link::Online => Span::from(" ● connected ").green(),
        Link::Connecting => Span::from(" ○ connecting… ").yellow(),
        Link::Offline(_) => Span::from(" ○ reconnecting… ").red(),
    };
    let notice = state.notices.back().map_or("", Safe::as_str).to_owned();
    frame.render_widget(Line::from(vec![link, Span::from(notice)]), area);
}
