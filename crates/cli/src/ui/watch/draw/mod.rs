//! State as cells: the header, the list as far as it fits, a few lines on whoever is selected, the keys; and over it
//! details, questions and help.
//!
//! Pure. Absent here: deciding anything; what differs from the last picture is for the terminal's buffer to find out.

mod bars;
mod columns;
mod details;
mod dialog;
mod list;
mod look;
mod text;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

pub(crate) use look::Palette;

use super::state::{Mode, State};

/// Rows of the screen, from the top down.
struct Places {
    header: Rect,
    list: Rect,
    /// On the selected session; empty on a low screen.
    strip: Rect,
    told: Rect,
    keys: Rect,
}

impl Places {
    fn of(state: &State, area: Rect) -> Self {
        let mut rest = area;
        let mut take = |height: u16| {
            let height = height.min(rest.height);
            let taken = Rect { height, ..rest };
            rest.y += height;
            rest.height -= height;
            taken
        };
        let header = take(bars::header_height(state));
        let strip_height = if area.height >= 16 { 4 } else { 0 };
        let told_height = u16::from(bars::has_news(state));
        let list_height = rest_height(area, header.height + strip_height + told_height + 1);
        Self {
            header,
            list: take(list_height),
            strip: take(strip_height),
            told: take(told_height),
            keys: take(1),
        }
    }
}

fn rest_height(area: Rect, taken: u16) -> u16 {
    area.height.saturating_sub(taken)
}

impl State {
    /// How much of the list an area of this size shows. To be told before drawing into it.
    pub(crate) fn resize(&mut self, area: Rect) {
        // one line of it is the columns' names
        let lines = Places::of(self, area).list.height.saturating_sub(1);
        self.fit(usize::from(lines));
    }

    pub(crate) fn draw(&self, palette: Palette, area: Rect, buffer: &mut Buffer) {
        let places = Places::of(self, area);
        bars::header(self, palette, places.header, buffer);
        match &self.mode {
            Mode::Details { scroll } => {
                let height = places.list.height + places.strip.height;
                let whole = Rect {
                    height,
                    ..places.list
                };
                details::draw(self, *scroll, palette, whole, buffer);
            }
            _ => {
                list::draw(self, palette, places.list, buffer);
                details::strip(self, palette, places.strip, buffer);
            }
        }
        bars::told(self, palette, places.told, buffer);
        bars::keys(self, palette, places.keys, buffer);
        dialog::draw(self, palette, area, buffer);
    }
}
