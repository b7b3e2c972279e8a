//! What lies over the list: the question before a signal, why there is none, help.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::Line;

use super::look::{Look, Palette};
use super::text::{cut, fill, put, span, wrap};
use crate::locks::words;
use crate::ui::watch::keys::KEYS;
use crate::ui::watch::state::{Mode, State};
use crate::ui::watch::target::{Signal, Target};

const WIDEST: usize = 86;
/// What is typed must not move the frame.
const NARROWEST: usize = 66;

pub(super) fn draw(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(8).min(WIDEST);
    let (title, lines) = match &state.mode {
        Mode::Confirm { target, typed } => question(target, typed, room),
        Mode::Refused {
            title,
            lines,
            instead,
        } => refused(title, lines, *instead, room),
        Mode::Help => help(room),
        Mode::List | Mode::Filter | Mode::Details { .. } => return,
    };
    frame(&title, &lines, palette, area, buffer);
}

type Lines = Vec<(Look, String)>;

fn question(target: &Target, typed: &str, room: usize) -> (String, Lines) {
    let session = &target.session;
    let mut lines = vec![(Look::Strong, words::who(session))];
    let mut add = |look: Look, text: &str| {
        lines.extend(wrap(text, room).into_iter().map(|line| (look, line)));
    };
    add(Look::Plain, &words::doing(session));
    if let Some(detail) = session.detail.seen() {
        let query = cut(
            &detail
                .query
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            room * 3,
        );
        add(Look::Faint, &query);
    }
    add(Look::Plain, "");
    for line in &target.consequences {
        add(Look::Warning, line);
    }
    add(Look::Plain, "");
    let prompt = format!(
        "Type {} and Enter to {} it, Esc to leave it: {typed}▏",
        target.pid(),
        target.signal.verb()
    );
    add(Look::Strong, &prompt);
    let title = format!("{} backend {}?", target.signal.verb(), target.pid());
    (title, lines)
}

fn refused(
    title: &str,
    reasons: &[String],
    instead: Option<Signal>,
    room: usize,
) -> (String, Lines) {
    let mut lines: Lines = reasons
        .iter()
        .flat_map(|reason| wrap(reason, room))
        .map(|line| (Look::Plain, line))
        .collect();
    lines.push((Look::Plain, String::new()));
    let way = match instead {
        Some(signal) => format!(
            "t to {} it instead (it asks first), Esc: back",
            signal.verb()
        ),
        None => "Esc: back".to_owned(),
    };
    lines.push((Look::Strong, way));
    (title.to_owned(), lines)
}

fn help(room: usize) -> (String, Lines) {
    let key = |(key, name, text): &(&str, &str, &str)| {
        let own = format!("{} {text}", fill(&format!("{} {name}", fill(key, 6)), 17));
        (Look::Plain, cut(&own, room))
    };
    let mut lines: Lines = KEYS.iter().map(key).collect();
    lines.push((Look::Plain, String::new()));
    for text in [
        "A root, in red, waits for nobody while others wait for it: it is the one to speak to. BEHIND counts who would \
         go on without it. Below a root stand its waiters, each once, the longest first; a waiter may stand behind \
         several.",
        "WAITED is how long a session has waited for its lock, XACT how long its transaction is open.",
        "Nothing is cancelled or terminated before you have typed the pid, and never our own session, a walsender, a \
         vacuum against wraparound, or a superuser's session.",
    ] {
        lines.extend(wrap(text, room).into_iter().map(|line| (Look::Faint, line)));
        lines.push((Look::Plain, String::new()));
    }
    lines.push((Look::Strong, "Esc: back".to_owned()));
    ("keys".to_owned(), lines)
}

/// A box in the middle, as high as its lines; the last ones are kept where the screen is too low.
fn frame(title: &str, lines: &Lines, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let widest = lines
        .iter()
        .map(|(_, line)| super::text::width(line))
        .max()
        .unwrap_or(0);
    let inside = widest
        .max(NARROWEST)
        .max(super::text::width(title) + 2)
        .min(usize::from(area.width).saturating_sub(4));
    let height = (lines.len() + 2).min(usize::from(area.height));
    let (w, h) = (
        u16::try_from(inside + 4)
            .unwrap_or(area.width)
            .min(area.width),
        u16::try_from(height).unwrap_or(area.height),
    );
    let place = Rect {
        x: area.x + (area.width - w) / 2,
        y: area.y + (area.height - h) / 2,
        width: w,
        height: h,
    };
    let edge = palette.style(Look::Heading);
    let rule = |left: &str, middle: String, right: &str| {
        Line::from(span(format!("{left}{middle}{right}"), edge))
    };
    buffer.set_style(place, ratatui_core::style::Style::reset());
    let head = fill_rule(&format!("─ {} ", cut(title, inside)), inside + 2);
    put(buffer, place, 0, &rule("╭", head, "╮"));
    let shown = lines
        .iter()
        .skip(lines.len().saturating_sub(height.saturating_sub(2)));
    for (row, (look, line)) in (1..h.saturating_sub(1)).zip(shown) {
        let cells = vec![
            span("│ ", edge),
            span(fill(line, inside), palette.style(*look)),
            span(" │", edge),
        ];
        put(buffer, place, row, &Line::from(cells));
    }
    put(
        buffer,
        place,
        h.saturating_sub(1),
        &rule("╰", "─".repeat(inside + 2), "╯"),
    );
}

fn fill_rule(text: &str, exactly: usize) -> String {
    let missing = exactly.saturating_sub(super::text::width(text));
    format!("{text}{}", "─".repeat(missing))
}
