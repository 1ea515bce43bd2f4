//! The open conversation.

use broker_schemas::Conversation;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::model::{Input, Stage, State, Stored, Thread};
use crate::text::{Safe, width_of};

/// How many lines of an announcement are shown.
const ANNOUNCED: usize = 3;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) -> Input {
    let title = state.open.map_or_else(|| Safe::line("Natter"), |open| state.title_of(open));
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(area);
    let width = usize::from(inner.width);
    let announced = announcement(state, width);
    let rows = [Constraint::Length(u16::try_from(announced.len()).unwrap_or_default()), Constraint::Min(1)];
    let [top, below] = Layout::vertical(rows).areas(inner);
    let open = state.open.and_then(|open| Some((open, state.threads.get(&open)?)));
    let (lines, from) = match open {
        Some((open, thread)) => thread_lines(state, open, thread, width),
        None => (notice_lines(state, width), None),
    };
    let page = usize::from(below.height);
    let scroll_max = lines.len().saturating_sub(page);
    let scroll = match from {
        Some(top) => lines.len().saturating_sub(top + page),
        None => state.view.scroll.min(scroll_max),
    };
    let last = lines.len() - scroll;
    let visible: Vec<_> = lines.into_iter().take(last).skip(last.saturating_sub(page)).collect();
    let behind = open.is_some_and(|(_, thread)| thread.is_behind());
    let block = if scroll > 0 || behind { block.title_bottom(" PgDn: newer ") } else { block };
    let block = match typing(state) {
        Some(who) => block.title_bottom(Line::from(who).right_aligned()),
        None => block,
    };
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(announced), top);
    frame.render_widget(Paragraph::new(visible), below);
    Input::Drawn { page, scroll_max, scroll }
}

/// What a group shows to whoever opens it.
fn announcement(state: &State, width: usize) -> Vec<Line<'static>> {
    let group = state.open.and_then(Conversation::group_id).and_then(|group| state.groups.get(&group));
    let Some(text) = group.and_then(|group| group.announcement.as_ref()) else { return Vec::new() };
    let mut lines = Safe::text(&format!("Announcement: {text}")).wrap(width);
    if lines.len() > ANNOUNCED {
        lines.truncate(ANNOUNCED);
        lines.push("… (/about shows all of it)".into());
    }
    lines.into_iter().map(|line| Line::from(line).yellow()).collect()
}

/// Who is writing.
fn typing(state: &State) -> Option<String> {
    let names: Vec<_> =
        state.typing_in(state.open?).iter().map(|(user, _)| state.name_of(*user).to_string()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!(" {one} is writing… ")),
        [one, other] => Some(format!(" {one} and {other} are writing… ")),
        many => Some(format!(" {} people are writing… ", many.len())),
    }
}

/// What there is to see while no conversation is open.
fn notice_lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<_> = state
        .notices
        .iter()
        .flat_map(|notice| notice.wrap(width))
        .map(|line| Line::from(line).dim())
        .collect();
    let hint =
        Safe::line("Tab opens the conversation with a friend, or a group; /help lists what can be done.");
    lines.push(Line::default());
    lines.extend(hint.wrap(width).into_iter().map(Line::from));
    lines
}

/// The lines of a conversation, and which of them is to be at the top, if any.
fn thread_lines(
    state: &State,
    conversation: Conversation,
    thread: &Thread,
    width: usize,
) -> (Vec<Line<'static>>, Option<usize>) {
    let zone = TimeZone::system();
    let mut lines = Vec::new();
    if thread.fetching.is_some() {
        lines.push(Line::from("fetching messages…").dim());
    } else if !thread.complete {
        lines.push(Line::from("PgUp: older messages").dim());
    }
    let seen = Seen::of(state, conversation, thread);
    let mut day = None;
    let mut top = None;
    for (&seq, message) in &thread.messages {
        let sent_at = message.entry.sent_at.0;
        let sent = Timestamp::from_millisecond(sent_at).unwrap_or_default().to_zoned(zone.clone());
        if state.view.from == Some(seq) {
            top = Some(lines.len());
        }
        if day.replace(sent.date()) != Some(sent.date()) {
            lines.push(Line::from(sent.strftime("── %A, %-d %B %Y ──").to_string()).dim());
        }
        if state.view.unread_from == Some(seq) {
            lines.push(Line::from("── new ──").yellow());
        }
        let clock = sent.strftime("%H:%M").to_string();
        push_stored(&mut lines, state, message, &clock, width);
        if let Some(note) = seen.below(seq) {
            lines.push(Line::from(format!("      {note}")).dim());
        }
    }
    for pending in &thread.pending {
        let (head, style, note) = match &pending.stage {
            Stage::Sending => {
                ("  …   ", Style::new().add_modifier(Modifier::DIM), Some("      sending…".to_owned()))
            }
            Stage::Sent => ("  ✓   ", Style::new().fg(Color::Cyan), None),
            Stage::Failed(why) => {
                ("  ✗   ", Style::new().fg(Color::Red), Some(format!("      not sent: {why}")))
            }
        };
        let quote = pending.draft.quote.map(|seq| state.quotation(conversation, seq));
        let said = Said { head, quote, text: Safe::text(&pending.draft.text), style };
        said.push(&mut lines, width);
        if let Some(note) = note {
            lines.extend(Safe::line(&note).wrap(width).into_iter().map(|line| Line::styled(line, style)));
        }
    }
    (lines, top)
}

fn push_stored(lines: &mut Vec<Line<'static>>, state: &State, message: &Stored, clock: &str, width: usize) {
    let entry = &message.entry;
    let (seq, who) = (entry.seq, state.name_of(entry.from));
    let body = state.body(message);
    if entry.notice.is_some() {
        let head = format!("{clock} #{seq} ");
        let style = Style::new().add_modifier(Modifier::DIM | Modifier::ITALIC);
        return Said { head: &head, quote: None, text: Safe::text(&format!("* {body}")), style }
            .push(lines, width);
    }
    let style = match entry {
        entry if entry.recalled_by.is_some() => Style::new().add_modifier(Modifier::DIM | Modifier::ITALIC),
        entry if state.is_me(entry.from) => Style::new().fg(Color::Cyan),
        entry if state.mentions_me(entry) => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        _ => Style::new(),
    };
    let quote = entry.quote.map(|seq| state.quotation(entry.conversation, seq));
    let text = Safe::text(&format!("{body}{}", State::tail(entry)));
    Said { head: &format!("{clock} #{seq} {who}: "), quote, text, style }.push(lines, width);
}

/// Up to where others have read what the user wrote.
struct Seen {
    /// The message to say it below.
    at: u64,
    /// What to say.
    note: String,
}

impl Seen {
    fn of(state: &State, conversation: Conversation, thread: &Thread) -> Self {
        let own = |seq: &u64, message: &Stored| state.is_me(message.entry.from).then_some(*seq);
        let own: Vec<_> = thread.messages.iter().filter_map(|(seq, message)| own(seq, message)).collect();
        let nothing = Self { at: 0, note: String::new() };
        match (state.peer_of(conversation), own.last()) {
            (_, None) => nothing,
            (Some(peer), Some(_)) => {
                let read = thread.readers.get(&peer).copied().unwrap_or_default();
                let at = own.into_iter().rev().find(|seq| *seq <= read).unwrap_or_default();
                Self { at, note: "✓ read up to here".into() }
            }
            (None, Some(&last)) => match thread.read_by(last) {
                0 => nothing,
                count => Self { at: last, note: format!("✓ read by {count}") },
            },
        }
    }

    fn below(&self, seq: u64) -> Option<&str> {
        (self.at == seq).then_some(self.note.as_str())
    }
}

/// A message to be drawn.
struct Said<'a> {
    head: &'a str,
    quote: Option<Safe>,
    text: Safe,
    style: Style,
}

impl Said<'_> {
    /// Adds the lines, wrapped under their own beginning.
    fn push(self, lines: &mut Vec<Line<'static>>, width: usize) {
        let head_width: usize = self.head.chars().map(width_of).sum();
        // On a narrow screen the text needs the room more than the order does.
        let indent = if head_width * 2 > width { 2 } else { head_width };
        let room = width.saturating_sub(indent);
        let quoted =
            self.quote.iter().flat_map(|quote| quote.wrap(room)).map(|line| (line, Style::new().dim()));
        let own = self.text.wrap(room).into_iter().map(|line| (line, self.style));
        for (at, (line, style)) in quoted.chain(own).enumerate() {
            if at == 0 && indent == head_width {
                lines.push(Line::from(vec![
                    Span::from(self.head.to_owned()).dim(),
                    Span::styled(line, style),
                ]));
            } else {
                if at == 0 {
                    lines.push(Line::from(self.head.to_owned()).dim());
                }
                lines.push(Line::styled(format!("{:indent$}{line}", ""), style));
            }
        }
    }
}
