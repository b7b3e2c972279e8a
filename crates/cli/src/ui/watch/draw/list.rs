//! The list: names of the columns, headings, sessions; only the lines that are to be seen.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::text::Line as Cells;

use super::columns::{Column, GAP, columns};
use super::look::{Look, Palette, of_wait};
use super::text::{fill, put, span, width};
use crate::ui::watch::rows::{Line, Role, Row};
use crate::ui::watch::state::State;

pub(super) fn draw(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    if state.list.rows().next().is_none() {
        empty(state, palette, area, buffer);
        return;
    }
    let columns = columns(&state.list, usize::from(area.width));
    let titles = columns
        .iter()
        .map(|(column, width)| {
            span(
                cell(*column, column.title(), *width),
                palette.style(Look::Faint),
            )
        })
        .collect::<Vec<_>>();
    put(buffer, area, 0, &Cells::from(titles));
    let shown = state.list.lines.iter().enumerate().skip(state.top);
    for (row, (at, line)) in (1..area.height).zip(shown) {
        match line {
            Line::Heading(text) => {
                let heading = span(text.clone(), palette.style(Look::Heading));
                put(buffer, area, row, &Cells::from(heading));
            }
            Line::Session(session) => {
                let cells = session_cells(session, &columns, palette);
                put(buffer, area, row, &cells);
                if at == state.cursor {
                    let whole = Rect {
                        y: area.y + row,
                        height: 1,
                        ..area
                    };
                    // one bar, whatever colours the cells had
                    buffer.set_style(whole, Style::reset());
                    buffer.set_style(whole, palette.style(Look::Selected));
                }
            }
        }
    }
    more_below(state, palette, area, buffer);
}

fn empty(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let text = match &state.picture {
        None => return,
        Some(_) if !state.filter.is_empty() => {
            format!("Nobody matches /{}. Esc clears the filter.", state.filter)
        }
        Some(_) => "Nobody waits for a lock, and no transaction is old.".to_owned(),
    };
    let line = Cells::from(span(text, palette.style(Look::Faint)));
    put(buffer, area, 1, &line);
}

fn session_cells(row: &Row, columns: &[(Column, usize)], palette: Palette) -> Cells<'static> {
    let spans = columns.iter().map(|(column, width)| {
        span(
            cell(*column, &column.text(row), *width),
            palette.style(look(*column, row)),
        )
    });
    Cells::from(spans.collect::<Vec<_>>())
}

/// As wide as its column and the gap.
fn cell(column: Column, text: &str, exactly: usize) -> String {
    let gap = " ".repeat(if column == Column::Query { 0 } else { GAP });
    let missing = exactly.saturating_sub(width(text));
    match column.is_number() {
        true => format!(
            "{}{gap}",
            fill(&format!("{}{text}", " ".repeat(missing)), exactly)
        ),
        false => format!("{}{gap}", fill(text, exactly)),
    }
}

fn look(column: Column, row: &Row) -> Look {
    match column {
        Column::Backend if row.role == Role::Root => Look::Bad,
        Column::Backend => Look::Plain,
        Column::Waited => row.waited.map_or(Look::Plain, of_wait),
        Column::State if row.state.contains("xact") || row.state == "deadlock" => Look::Warning,
        Column::Behind => Look::Strong,
        Column::What => Look::Name,
        Column::Client | Column::Query | Column::Application => Look::Faint,
        _ => Look::Plain,
    }
}

/// What does not fit is counted, on the line of the columns' names.
fn more_below(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let lines = state.list.lines.len();
    if lines <= state.height {
        return;
    }
    let last = (state.top + state.height).min(lines);
    let text = format!(" {}–{last} of {lines}", state.top + 1);
    let wide = u16::try_from(width(&text))
        .unwrap_or(area.width)
        .min(area.width);
    let place = Rect {
        x: area.x + area.width - wide,
        width: wide,
        ..area
    };
    put(
        buffer,
        place,
        0,
        &Cells::from(span(text, palette.style(Look::Strong))),
    );
}
