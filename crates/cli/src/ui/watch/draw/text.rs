//! Texts into cells: cut where they are too wide, wrapped, filled up.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// At most so wide, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for letter in text.chars() {
        let own = width(letter.encode_utf8(&mut [0; 4]));
        if used + own > most {
            break;
        }
        used += own;
        cut.push(letter);
    }
    if most > 0 {
        cut.push('…');
    }
    cut
}

/// Exactly so wide.
pub(super) fn fill(text: &str, exactly: usize) -> String {
    let cut = cut(text, exactly);
    let missing = exactly.saturating_sub(width(&cut));
    cut + &" ".repeat(missing)
}

pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let lines = textwrap::wrap(text, most.max(1));
    lines
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// Writes a line; what does not fit is left out.
pub(super) fn put(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    if row < area.height {
        buffer.set_line(area.x, area.y + row, line, area.width);
    }
}

/// Writes one text to the left and one to the right, which goes first where both do not fit.
pub(super) fn put_both(
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    left: Vec<Span<'_>>,
    right: Vec<Span<'_>>,
) {
    let (left, right) = (Line::from(left), Line::from(right));
    let space = usize::from(area.width);
    let right_width = right.width();
    if right_width < space && row < area.height {
        let at = area.x + u16::try_from(space - right_width).unwrap_or(0);
        let most = u16::try_from(right_width).unwrap_or(area.width);
        buffer.set_line(at, area.y + row, &right, most);
        let rest = Rect {
            width: u16::try_from(space - right_width - 1).unwrap_or(0),
            ..area
        };
        put(buffer, rest, row, &left);
    } else {
        put(buffer, area, row, &left);
    }
}

pub(super) fn span(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}
