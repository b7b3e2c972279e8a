//! A terminal's screen as an SVG picture, for the README: made from a run, so it shows what a user sees.
//!
//! Absent here: running anything.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const CELL_WIDTH: f64 = 8.43;
const CELL_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 16.0;
const BACKGROUND: &str = "#14161b";
const FOREGROUND: &str = "#d7dae0";
/// The sixteen colours of a dark terminal.
const COLORS: [&str; 16] = [
    "#2a2e37", "#f0717a", "#8fd48a", "#e8c36a", "#74b0f4", "#c893e8", "#6cd0d6", "#d7dae0",
    "#7d8492", "#ff8b92", "#a8e6a3", "#f5d78a", "#93c5ff", "#dbb0f5", "#8ee4e9", "#ffffff",
];

/// The screen down to its last row with text.
pub(super) fn svg(screen: &Screen) -> String {
    let (height, width) = screen.size();
    let (height, width) = (height.get(), width.get());
    let blank = |row: &u16| {
        (0..width).all(|column| {
            screen
                .cell(*row, column)
                .is_none_or(|c| c.contents().trim().is_empty())
        })
    };
    let rows = height - u16::try_from((0..height).rev().take_while(blank).count()).unwrap_or(0);
    let (w, h) = (
        f64::from(width) * CELL_WIDTH + 2.0 * MARGIN,
        f64::from(rows) * CELL_HEIGHT + 2.0 * MARGIN,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        for run in runs(screen, row, width) {
            run.write(&mut out, row);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Neighbouring cells that look the same.
struct Run {
    column: u16,
    cells: u16,
    text: String,
    look: Look,
}

#[derive(PartialEq, Clone, Copy)]
struct Look {
    foreground: Color,
    background: Color,
    bold: bool,
    dim: bool,
    inverse: bool,
}

impl Look {
    fn of(cell: Option<&Cell>) -> Self {
        match cell {
            None => Self {
                foreground: Color::Default,
                background: Color::Default,
                bold: false,
                dim: false,
                inverse: false,
            },
            Some(c) => Self {
                foreground: c.fgcolor(),
                background: c.bgcolor(),
                bold: c.bold(),
                dim: c.dim(),
                inverse: c.inverse(),
            },
        }
    }
}

impl Look {
    /// Of the text, and of what is behind it.
    fn colors(self) -> (&'static str, Option<&'static str>) {
        let (front, back) = (color(self.foreground), color(self.background));
        match self.inverse {
            true => (
                back.unwrap_or(BACKGROUND),
                Some(front.unwrap_or(FOREGROUND)),
            ),
            false => (front.unwrap_or(FOREGROUND), back),
        }
    }
}

fn runs(screen: &Screen, row: u16, width: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..width {
        let cell = screen.cell(row, column);
        let look = Look::of(cell);
        let text = cell
            .map(Cell::contents)
            .filter(|text| !text.is_empty())
            .unwrap_or(" ");
        match runs.last_mut() {
            Some(run) if run.look == look => {
                run.text.push_str(text);
                run.cells += 1;
            }
            _ => runs.push(Run {
                column,
                cells: 1,
                text: text.to_owned(),
                look,
            }),
        }
    }
    runs
}

impl Run {
    fn write(&self, out: &mut String, row: u16) {
        let x = MARGIN + f64::from(self.column) * CELL_WIDTH;
        let y = MARGIN + f64::from(row) * CELL_HEIGHT;
        let (text_color, fill) = self.look.colors();
        if let Some(fill) = fill {
            let width = f64::from(self.cells) * CELL_WIDTH;
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{fill}\"/>"
            );
        }
        let text = self.text.trim_end();
        if text.is_empty() {
            return;
        }
        let fill = text_color;
        let weight = if self.look.bold {
            " font-weight=\"700\""
        } else {
            ""
        };
        let opacity = if self.look.dim {
            " opacity=\"0.6\""
        } else {
            ""
        };
        let length = text.chars().count() as f64 * CELL_WIDTH;
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fill}\"{weight}{opacity} textLength=\"{length:.1}\" \
             xml:space=\"preserve\">{}</text>",
            y + CELL_HEIGHT * 0.75,
            escaped(text)
        );
    }
}

fn color(color: Color) -> Option<&'static str> {
    match color {
        Color::Idx(index) => COLORS.get(usize::from(index)).copied(),
        Color::Default | Color::Rgb(..) => None,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_screen_is_in_the_picture() {
        let size = |n| std::num::NonZero::new(n).expect("not zero");
        let mut parser = vt100::Parser::new(size(5), size(20), 0);
        parser.process(b"\x1b[1;31ma<b\x1b[0m plain\r\n");
        let svg = svg(parser.screen());
        assert!(
            svg.contains("a&lt;b") && svg.contains("font-weight"),
            "{svg}"
        );
        assert!(svg.contains(COLORS[1]) && svg.contains("plain"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
    }

    #[test]
    fn what_is_inverse_is_light_behind_dark() {
        let size = |n| std::num::NonZero::new(n).expect("not zero");
        let mut parser = vt100::Parser::new(size(5), size(20), 0);
        parser.process(b"\x1b[7;31mselected\x1b[0m");
        let svg = svg(parser.screen());
        let behind = format!("height=\"{CELL_HEIGHT}\" fill=\"{}\"", COLORS[1]);
        assert!(svg.contains(&behind), "{svg}");
        assert!(svg.contains(&format!("fill=\"{BACKGROUND}\" ")), "{svg}");
    }
}
