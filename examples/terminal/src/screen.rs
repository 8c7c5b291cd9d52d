//! What a terminal shows of the chat.

use crate::chat::Chat;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position},
    style::{Color, Stylize as _},
    text::Line,
    widgets::{Block, Paragraph, Wrap},
};
use stateroom_client::Status;

pub(crate) fn draw(frame: &mut Frame<'_>, chat: &Chat) {
    let parts =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(3)]);
    let [top, middle, bottom] = parts.areas(frame.area());
    let (state, colour) = match chat.status {
        Status::Connecting => ("connecting", Color::Yellow),
        Status::Live => ("live", Color::Green),
        Status::Away => ("away: what you write is sent when the server is back", Color::Yellow),
        Status::Closing | Status::Closed => ("closed", Color::Red),
    };
    let people: Vec<&str> = chat.people.values().map(String::as_str).collect();
    let title = Line::from(vec![state.fg(colour), "  ".into(), people.join(", ").dim()]);
    frame.render_widget(title, top);
    let lines: Vec<Line<'_>> = chat.lines.iter().map(|line| Line::from(line.as_str())).collect();
    let lines = Paragraph::new(lines).wrap(Wrap { trim: false });
    // The last of them, though some take more than one row.
    let rows = rows(chat, middle.width).saturating_sub(middle.height);
    frame.render_widget(lines.scroll((rows, 0)), middle);
    let inner = bottom.width.saturating_sub(2);
    let draft = Line::from(chat.draft.as_str());
    let width = u16::try_from(draft.width()).unwrap_or(u16::MAX);
    let hidden = width.saturating_add(1).saturating_sub(inner);
    let draft = Paragraph::new(draft).scroll((0, hidden));
    frame
        .render_widget(draft.block(Block::bordered().title(" Enter says it, Esc leaves ")), bottom);
    frame
        .set_cursor_position(Position::new(bottom.x + 1 + width - hidden.min(width), bottom.y + 1));
}

/// How many rows the lines take, about: where a word is broken, they take more.
fn rows(chat: &Chat, width: u16) -> u16 {
    let width = usize::from(width.max(1));
    let rows =
        chat.lines.iter().map(|line| Line::from(line.as_str()).width().div_ceil(width).max(1));
    u16::try_from(rows.sum::<usize>()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};

    #[test]
    fn the_last_lines_are_shown_whatever_the_size() {
        let mut chat = Chat::new("Ada".to_owned());
        for number in 0..50 {
            chat.note(format!("Bob: line {number}"));
        }
        chat.draft = "a draft longer than what there is room for".to_owned();
        for (width, height) in [(40, 10), (12, 8), (1, 1), (200, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &chat)).unwrap();
            let shown = terminal.backend().to_string();
            let has_last = shown.contains("line 49");
            assert_eq!(has_last, width >= 12, "{width} x {height}:\n{shown}");
        }
    }
}
