//! The list of people and groups.

use broker_schemas::Conversation;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::model::{Person, Relation, State};
use crate::text::Safe;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let me = state.me.as_ref().map_or("", |me| me.name.as_str());
    let block = Block::bordered().title(format!(" {me} "));
    let (mut lines, open_at) = lines(state);
    if lines.is_empty() {
        let hint = [
            "No friends yet.",
            "",
            "/add NAME asks",
            "somebody to be",
            "your friend.",
            "",
            "/create NAME",
            "makes a group.",
        ];
        lines = hint.map(Line::from).to_vec();
    }
    // Whatever is open stays visible in a long list.
    let height = usize::from(block.inner(area).height);
    let first = (open_at + 1).saturating_sub(height);
    lines.drain(..first.min(lines.len()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The lines, and which of them is open.
fn lines(state: &State) -> (Vec<Line<'static>>, usize) {
    let mut lines = Vec::new();
    let mut open_at = 0;
    let roster = state.roster();
    let friends = roster.iter().take_while(|(_, person)| person.relation == Relation::Friend).count();
    let (friends, others) = roster.split_at(friends);
    let mut add_people = |lines: &mut Vec<_>, people: &[(broker_schemas::UserId, &Person)]| {
        let mut section = None;
        for (user, person) in people {
            let heading = heading(person);
            if section.replace(heading) != Some(heading) {
                lines.push(Line::styled(heading, Modifier::DIM));
            }
            let there = state.me.as_ref().and_then(|me| Conversation::direct(me.user, *user).ok());
            if there.is_some() && there == state.open {
                open_at = lines.len();
            }
            lines.push(person_line(state, person, there));
        }
    };
    add_people(&mut lines, friends);
    let mut groups = Vec::new();
    for (id, group) in state.groups_by_name() {
        let there = Conversation::group(id);
        let mark = if group.dissolved { "✕ " } else { "# " };
        let open = state.open == Some(there);
        groups.push((open, titled(state, Span::from(mark), &state.title_of(there), Some(there))));
    }
    if !groups.is_empty() {
        lines.push(Line::styled("Groups", Modifier::DIM));
    }
    let before = lines.len();
    let open_group = groups.iter().position(|(open, _)| *open);
    lines.extend(groups.into_iter().map(|(_, line)| line));
    add_people(&mut lines, others);
    (lines, open_group.map_or(open_at, |at| before + at))
}

fn heading(person: &Person) -> &'static str {
    match person.relation {
        Relation::Friend => "Friends",
        Relation::Asks => "Ask you: /accept NAME",
        Relation::Asked => "Asked by you",
        Relation::Blocked => "Blocked",
        Relation::Stranger if person.is_platform() => "The platform",
        Relation::Stranger => "No friends any more",
    }
}

fn person_line(state: &State, person: &Person, there: Option<Conversation>) -> Line<'static> {
    let dot = match person.relation {
        Relation::Friend if person.online => Span::from("● ").green(),
        Relation::Friend => Span::from("○ "),
        Relation::Asks => Span::from("? ").yellow(),
        Relation::Asked => Span::from("… "),
        Relation::Blocked => Span::from("✕ "),
        Relation::Stranger => Span::from("  "),
    };
    let mut line = titled(state, dot, &person.name, there);
    if person.display_name != person.name {
        line.push_span(Span::from(format!(" {}", person.display_name)).dim());
    }
    line
}

/// A conversation of the list: its mark, its name, and how much of it is new.
fn titled(state: &State, mark: Span<'static>, title: &Safe, there: Option<Conversation>) -> Line<'static> {
    let open = there.is_some() && there == state.open;
    let style = if open { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    let mut line = vec![mark, Span::styled(title.to_string(), style)];
    let unread = there.map_or(0, |there| state.unread_in(there));
    if unread > 0 {
        line.push(Span::from(format!(" {unread} new")).yellow().bold());
        if there.is_some_and(|there| state.calls_me(there)) {
            line.push(Span::from(" @").red().bold());
        }
    }
    Line::from(line)
}
