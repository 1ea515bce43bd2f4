//! What the platform itself says to everyone. Its lines begin with words that no line about a person, a group or a message
//! begins with, so that nobody can speak in its name.

use broker_schemas::admin::{AnnouncedEvent, BroadcastEvent};
use broker_schemas::announcement::SeenRevision;

use super::{Effect, Mode, Panel, State, moment};
use crate::text::Safe;

/// The title of what lies over the conversation, until it is closed.
const TITLE: &str = "From the platform, to everyone";
/// How many lines it has at most; the oldest go first.
const LINES: usize = 500;

/// Everyone who is online was told something.
pub(super) fn broadcast(state: &mut State, event: &BroadcastEvent) -> Vec<Effect> {
    say(state, "from the platform", &event.text)
}

/// An announcement was made, changed or withdrawn.
pub(super) fn announced(state: &mut State, event: AnnouncedEvent) -> Vec<Effect> {
    let AnnouncedEvent { announcement, revision, text, until } = event;
    let Some(text) = text else {
        return vec![state.notice(format!("from the platform: announcement {announcement} is withdrawn"))];
    };
    let again = if revision > 1 { ", changed" } else { "" };
    let mark = format!("from the platform, announcement {announcement}{again}, until {}", moment(until));
    let mut effects = say(state, &mark, &text);
    effects.push(Effect::Seen(SeenRevision { announcement, revision }));
    effects
}

/// Shows a text that may have several lines: over whatever is on the screen, or as a line.
fn say(state: &mut State, mark: &str, text: &str) -> Vec<Effect> {
    let notice = state.notice(format!("{mark}: {text}"));
    if state.mode == Mode::Plain {
        return vec![notice];
    }
    let mut lines = match state.panel.take() {
        Some(panel) if panel.title == TITLE => panel.lines,
        _ => Vec::new(),
    };
    if !lines.is_empty() {
        lines.push(Safe::default());
    }
    lines.push(Safe::line(&format!("{mark}:")));
    lines.extend(text.lines().map(Safe::line));
    let surplus = lines.len().saturating_sub(LINES);
    lines.drain(..surplus);
    state.panel = Some(Panel { title: TITLE, lines, scroll: 0 });
    vec![notice]
}
