//! The sign-in form.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

use crate::model::{Field, Form};
use crate::text::{Safe, width_of};

/// Where the answers begin, in columns.
const LABEL: u16 = 11;

pub(super) fn draw(frame: &mut Frame<'_>, form: &Form) {
    let [area] = Layout::horizontal([Constraint::Max(64)]).flex(Flex::Center).areas(frame.area());
    let [area] = Layout::vertical([Constraint::Max(14)]).flex(Flex::Center).areas(area);
    let block = Block::bordered().title(" Natter ");
    let inner = block.inner(area);
    frame.render_widget(block, area);

    let mark = if form.register { "[x]" } else { "[ ]" };
    let name = Safe::line(form.name.as_str());
    let password = "•".repeat(form.password.as_str().chars().count());
    let action = if form.register { "make an account and sign in" } else { "sign in" };
    let hint = if form.register { Modifier::DIM } else { Modifier::empty() };
    let mut lines = vec![
        Line::default(),
        field("Name", name.as_str(), form.field == Field::Name),
        Line::default(),
        field("Password", &password, form.field == Field::Password),
        Line::default(),
        field("", &format!("{mark} make a new account"), form.field == Field::Register),
        Line::default(),
        Line::styled(" New here? Tab to the box, Space ticks it, then Enter.", hint),
        Line::default(),
        Line::styled(format!(" Enter: {action}   Tab: next field   Ctrl-C: leave"), Modifier::DIM),
    ];
    if form.busy {
        lines.push(Line::from(" asking the server…"));
    } else if let Some(error) = &form.error {
        lines.push(Line::styled(format!(" {error}"), Style::new().fg(Color::Red)));
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
    place_cursor(frame, form, inner);
}

fn field<'a>(label: &'a str, value: &str, active: bool) -> Line<'a> {
    let style = if active { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let pointer = if active { '>' } else { ' ' };
    let label = format!("{pointer}{label:<width$}", width = usize::from(LABEL) - 1);
    Line::from(vec![Span::styled(label, style), Span::styled(value.to_owned(), style)])
}

fn place_cursor(frame: &mut Frame<'_>, form: &Form, inner: Rect) {
    let (row, column) = match form.field {
        Field::Name => (1, form.name.before_cursor().chars().map(width_of).sum()),
        Field::Password => (3, form.password.before_cursor().chars().count()),
        Field::Register => (5, 1),
    };
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(inner.width.saturating_sub(LABEL + 1));
    frame.set_cursor_position(Position::new(inner.x + LABEL + column, inner.y + row));
}
