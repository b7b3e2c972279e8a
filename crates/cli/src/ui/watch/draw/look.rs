//! What a piece of the screen is, and how that looks with and without colour. Colours are the terminal's own sixteen.

use std::io::stdout;
use std::time::Duration;

use ratatui_core::style::{Color, Modifier, Style};

/// NO_COLOR, --no-color and terminals without colours have the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    Colour,
    Plain,
}

impl Palette {
    /// As the rest of the program decides it for this stream.
    pub(crate) fn here() -> Self {
        match anstream::AutoStream::choice(&stdout()) {
            anstream::ColorChoice::Never => Self::Plain,
            _ => Self::Colour,
        }
    }

    pub(super) fn style(self, look: Look) -> Style {
        let plain = Style::new();
        let (modifier, color) = match look {
            Look::Plain => (Modifier::empty(), None),
            Look::Faint => (Modifier::DIM, None),
            Look::Strong => (Modifier::BOLD, None),
            Look::Good => (Modifier::empty(), Some(Color::Green)),
            Look::Warning => (Modifier::empty(), Some(Color::Yellow)),
            Look::Bad => (Modifier::BOLD, Some(Color::Red)),
            Look::Name => (Modifier::empty(), Some(Color::Cyan)),
            Look::Heading => (Modifier::BOLD, Some(Color::Cyan)),
            Look::Selected => (Modifier::REVERSED, None),
        };
        let styled = plain.add_modifier(modifier);
        match (self, color) {
            (Self::Colour, Some(color)) => styled.fg(color),
            _ => styled,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Faint,
    Strong,
    Good,
    Warning,
    Bad,
    Name,
    Heading,
    Selected,
}

/// A wait of a second is felt, one of ten is an outage.
pub(super) fn of_wait(waited: Duration) -> Look {
    match waited.as_millis() {
        0..1000 => Look::Plain,
        1000..10_000 => Look::Warning,
        _ => Look::Bad,
    }
}
