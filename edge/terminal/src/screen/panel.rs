//! A list that lies over the conversation.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::model::Panel;

/// How wide it is, in columns, where there is room.
const WIDTH: u16 = 84;

pub(super) fn draw(frame: &mut Frame<'_>, panel: &Panel, area: Rect) {
    let width = area.width.min(WIDTH);
    let room = usize::from(width.saturating_sub(4));
    let lines: Vec<_> = panel.lines.iter().flat_map(|line| line.wrap(room)).collect();
    let height = area.height.min(u16::try_from(lines.len() + 2).unwrap_or(u16::MAX));
    let page = usize::from(height.saturating_sub(2));
    let first = panel.scroll.min(lines.len().saturating_sub(page));
    let below = lines.len() - first > page;
    let visible: Vec<_> =
        lines.into_iter().skip(first).take(page).map(|line| Line::from(format!(" {line}"))).collect();
    let area =
        Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height);
    let keys = if below || first > 0 { " PgUp, PgDn: more   Esc: close " } else { " Esc: close " };
    let block = Block::bordered().title(format!(" {} ", panel.title)).title_bottom(keys);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(visible).block(block), area);
}
