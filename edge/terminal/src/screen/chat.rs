//! The conversation, the people, the line being typed.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::model::{Asking, HELP, Input, Link, Person, Relation, Stage, State, Thread};
use crate::text::{Safe, width_of};

/// How wide the list of people is, in columns, where there is room for it.
const PEOPLE: u16 = 26;
/// What a person must know to find out the rest.
const KEYS: &str = " /help: all commands   Tab: next friend   PgUp: older messages   Ctrl-C: leave";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) -> Input {
    let rows = [Constraint::Min(3), Constraint::Length(3), Constraint::Length(1), Constraint::Length(1)];
    let [body, input, status, keys] = Layout::vertical(rows).areas(frame.area());
    let people = if body.width >= 3 * PEOPLE { PEOPLE } else { body.width / 3 };
    let [left, right] = Layout::horizontal([Constraint::Length(people), Constraint::Min(10)]).areas(body);
    draw_people(frame, state, left);
    let drawn = draw_conversation(frame, state, right);
    draw_input(frame, state, input);
    draw_status(frame, state, status);
    frame.render_widget(Line::from(KEYS).dim(), keys);
    if state.show_help {
        draw_help(frame, frame.area());
    }
    drawn
}

fn draw_people(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let me = state.me.as_ref().map_or("", |me| me.name.as_str());
    let block = Block::bordered().title(format!(" {me} "));
    let mut lines = Vec::new();
    let mut section = None;
    let mut open_at = 0;
    for (user, person) in state.roster() {
        if section.replace(person.relation) != Some(person.relation) {
            lines.push(Line::styled(heading(person.relation), Modifier::DIM));
        }
        let there = state.me.as_ref().and_then(|me| broker_schemas::Conversation::direct(me.user, user).ok());
        let open = there.is_some() && there == state.open;
        if open {
            open_at = lines.len();
        }
        let unread = there.map_or(0, |there| state.unread_in(there));
        lines.push(person_line(person, open, unread));
    }
    if lines.is_empty() {
        lines = ["No friends yet.", "", "/add NAME asks", "somebody to be", "your friend."]
            .map(Line::from)
            .to_vec();
    }
    // Whoever is open stays visible in a long list.
    let height = usize::from(block.inner(area).height);
    let first = (open_at + 1).saturating_sub(height);
    lines.drain(..first.min(lines.len()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

const fn heading(relation: Relation) -> &'static str {
    match relation {
        Relation::Friend => "Friends",
        Relation::Asks => "Ask you: /accept NAME",
        Relation::Asked => "Asked by you",
        Relation::Blocked => "Blocked",
        Relation::Stranger => "No friends any more",
    }
}

fn person_line(person: &Person, open: bool, unread: usize) -> Line<'static> {
    let dot = match person.relation {
        Relation::Friend if person.online => Span::from("● ").green(),
        Relation::Friend => Span::from("○ "),
        Relation::Asks => Span::from("? ").yellow(),
        Relation::Asked => Span::from("… "),
        Relation::Blocked => Span::from("✕ "),
        Relation::Stranger => Span::from("  "),
    };
    let style = if open { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    let mut line = vec![dot, Span::styled(person.name.to_string(), style)];
    if unread > 0 {
        line.push(Span::from(format!(" {unread} new")).yellow().bold());
    }
    if person.display_name != person.name {
        line.push(Span::from(format!(" {}", person.display_name)).dim());
    }
    Line::from(line)
}

fn draw_conversation(frame: &mut Frame<'_>, state: &State, area: Rect) -> Input {
    let title = state.open.map_or_else(|| Safe::line("Natter"), |open| state.title_of(open));
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(area);
    let lines = match state.open.and_then(|open| state.threads.get(&open)) {
        Some(thread) => thread_lines(state, thread, usize::from(inner.width)),
        None => notice_lines(state, usize::from(inner.width)),
    };
    let page = usize::from(inner.height);
    let scroll_max = lines.len().saturating_sub(page);
    let scroll = state.view.scroll.min(scroll_max);
    let last = lines.len() - scroll;
    let visible: Vec<_> = lines.into_iter().take(last).skip(last.saturating_sub(page)).collect();
    let block = if scroll > 0 { block.title_bottom(" PgDn: newer ") } else { block };
    frame.render_widget(Paragraph::new(visible).block(block), area);
    Input::Drawn { page, scroll_max }
}

/// What there is to see while no conversation is open.
fn notice_lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<_> = state
        .notices
        .iter()
        .flat_map(|notice| notice.wrap(width))
        .map(|line| Line::from(line).dim())
        .collect();
    let hint = Safe::line("Tab opens the conversation with a friend; /help lists what can be done.");
    lines.push(Line::default());
    lines.extend(hint.wrap(width).into_iter().map(Line::from));
    lines
}

fn thread_lines(state: &State, thread: &Thread, width: usize) -> Vec<Line<'static>> {
    let zone = TimeZone::system();
    let mut lines = Vec::new();
    if thread.fetching {
        lines.push(Line::from("fetching older messages…").dim());
    } else if !thread.complete {
        lines.push(Line::from("PgUp: older messages").dim());
    }
    let mut day = None;
    for (&seq, message) in &thread.messages {
        let sent = Timestamp::from_millisecond(message.sent_at.0).unwrap_or_default().to_zoned(zone.clone());
        if day.replace(sent.date()) != Some(sent.date()) {
            lines.push(Line::from(sent.strftime("── %A, %-d %B %Y ──").to_string()).dim());
        }
        if state.view.unread_from == Some(seq) {
            lines.push(Line::from("── new ──").yellow());
        }
        let mine = state.me.as_ref().is_some_and(|me| me.user == message.from);
        let style = Style::new().fg(if mine { Color::Cyan } else { Color::Reset });
        let head = format!("{} {}: ", sent.strftime("%H:%M"), state.name_of(message.from));
        push_message(&mut lines, &head, &message.text, style, width);
        if mine && seq == thread.peer_read {
            lines.push(Line::from("      ✓ read up to here").dim());
        }
    }
    for pending in &thread.pending {
        let (head, style, note) = match &pending.stage {
            Stage::Sending => {
                ("  …   ", Style::new().add_modifier(Modifier::DIM), Some("      sending…".to_owned()))
            }
            Stage::Sent => ("  ✓   ", Style::new().fg(Color::Cyan), None),
            Stage::Failed(why) => (
                "  ✗   ",
                Style::new().fg(Color::Red),
                Some(format!("      not sent: {why}; /retry tries again")),
            ),
        };
        push_message(&mut lines, head, &Safe::text(&pending.text), style, width);
        if let Some(note) = note {
            lines.extend(Safe::line(&note).wrap(width).into_iter().map(|line| Line::styled(line, style)));
        }
    }
    lines
}

/// A message, wrapped under its own beginning.
fn push_message(lines: &mut Vec<Line<'static>>, head: &str, text: &Safe, style: Style, width: usize) {
    let head_width: usize = head.chars().map(width_of).sum();
    // On a narrow screen the text needs the room more than the order does.
    let indent = if head_width * 2 > width { 2 } else { head_width };
    for (at, line) in text.wrap(width.saturating_sub(indent)).into_iter().enumerate() {
        if at == 0 && indent == head_width {
            lines.push(Line::from(vec![Span::from(head.to_owned()).dim(), Span::styled(line, style)]));
        } else {
            if at == 0 {
                lines.push(Line::from(head.to_owned()).dim());
            }
            lines.push(Line::styled(format!("{:indent$}{line}", ""), style));
        }
    }
}

fn draw_input(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let prompt = match &state.asking {
        Some(Asking::OldPassword) => " present password ".to_owned(),
        Some(Asking::NewPassword { .. }) => " new password ".to_owned(),
        None => match state.open {
            Some(open) => format!(" to {} ", state.title_of(open)),
            None => " type /help ".to_owned(),
        },
    };
    let shown = |text: &str| match &state.asking {
        Some(_) => "•".repeat(text.chars().count()),
        None => Safe::line(text).to_string(),
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

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<_> =
        HELP.iter().map(|(usage, text)| Line::from(format!(" {usage:<14} {text}"))).collect();
    let keys = [
        "",
        " Tab, ↑, ↓      another friend",
        " PgUp, PgDn     older, newer messages",
        " Ctrl-U, Ctrl-W delete the line, a word",
        " Esc            close this help",
    ];
    lines.extend(keys.map(Line::from));
    let width = area.width.min(64);
    let height = area.height.min(u16::try_from(lines.len() + 2).unwrap_or(u16::MAX));
    let area =
        Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height);
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(lines).wrap(Wrap { trim: false }).block(Block::bordered().title(" Help ")),
        area,
    );
}
