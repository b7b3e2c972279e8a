//! Colour, in one place. Streams strip it where there is no terminal, or where NO_COLOR or --no-color say so.

use std::fmt::Display;

use anstyle::{AnsiColor, Color, Style};

/// What a piece of text is; how it looks follows from that.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    Heading,
    Good,
    Warning,
    Bad,
    Destructive,
    Faint,
    Keyword,
    Name,
}

pub(crate) fn paint(look: Look, text: impl Display) -> String {
    let color = |c: AnsiColor| Style::new().fg_color(Some(Color::Ansi(c)));
    let style = match look {
        Look::Heading => Style::new().bold(),
        Look::Good => color(AnsiColor::Green),
        Look::Warning => color(AnsiColor::Yellow),
        Look::Bad => color(AnsiColor::Red).bold(),
        Look::Destructive => color(AnsiColor::White)
            .bg_color(Some(Color::Ansi(AnsiColor::Red)))
            .bold(),
        Look::Faint => Style::new().dimmed(),
        Look::Keyword => color(AnsiColor::Cyan),
        Look::Name => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}

/// `--no-color`, for both streams.
pub(crate) fn no_color() {
    anstream::ColorChoice::Never.write_global();
}

/// SQL with its key words coloured: what PostgreSQL reads as words in capitals, outside quotes and comments.
pub(crate) fn sql(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = piece(rest, first);
        let (head, tail) = rest.split_at(length);
        if head.len() > 1 && head.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            out.push_str(&paint(Look::Keyword, head));
        } else if head.starts_with("--") {
            out.push_str(&paint(Look::Faint, head));
        } else {
            out.push_str(head);
        }
        rest = tail;
    }
    out
}

/// The length of the quoted text, comment, word or character at the front.
fn piece(rest: &str, first: char) -> usize {
    match first {
        '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |i| i + 2),
        '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        c if c.is_alphanumeric() || c == '_' => rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_outside_quotes_are_coloured() {
        let plain = "ALTER TABLE \"ORDER\" ADD \"x\" varchar DEFAULT 'NOT NULL' -- NULL\nDROP é";
        let coloured = sql(plain);
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
        assert!(coloured.contains(&paint(Look::Keyword, "ALTER")));
        assert!(!coloured.contains(&paint(Look::Keyword, "ORDER")));
        assert!(!coloured.contains(&paint(Look::Keyword, "NOT")));
    }
}
