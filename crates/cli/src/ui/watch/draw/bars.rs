//! The lines above and below the list: where we look, how it stands, what was done, the keys.

use std::time::Duration;

use pgdriver::activity::Extent;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::{Line, Span};

use super::look::{Look, Palette};
use super::text::{cut, put, put_both, span, width};
use crate::locks::{LONG, Scope, Snapshot, words};
use crate::ui;
use crate::ui::watch::keys::KEYS;
use crate::ui::watch::state::{Flow, Link, Mode, Picture, State, Told};

/// Two lines, and one for what hinders us.
pub(super) fn header_height(state: &State) -> u16 {
    2 + u16::from(hindrance(state).is_some())
}

pub(super) fn header(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let style = |look| palette.style(look);
    let mut left = vec![
        span("locks ", style(Look::Heading)),
        span(state.server.clone(), style(Look::Strong)),
    ];
    let mut right = Vec::new();
    if let Some(picture) = &state.picture {
        let us = &picture.snapshot.us;
        let about = format!(
            "  PostgreSQL {} as {}{}",
            us.version,
            us.asker.role,
            about(&picture.snapshot)
        );
        left.push(span(about, style(Look::Faint)));
        let pace = span(format!("{}  ", pace(state, picture)), style(Look::Faint));
        right = freshness(state, picture, palette);
        let both: usize = left.iter().chain(&right).map(Span::width).sum();
        if both + pace.width() + 2 <= usize::from(area.width) {
            right.insert(0, pace);
        }
    }
    put_both(buffer, area, 0, left, right);
    let second = match &state.picture {
        Some(picture) => counts(state, &picture.snapshot, palette),
        None => vec![span("looking …", style(Look::Faint))],
    };
    put(buffer, area, 1, &Line::from(second));
    if let Some((look, text)) = hindrance(state) {
        let text = cut(&text, usize::from(area.width));
        put(buffer, area, 2, &Line::from(span(text, style(look))));
    }
}

fn about(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    if snapshot.view.scope == Scope::Cluster {
        text.push_str(", all databases");
    }
    if let Some(relation) = &snapshot.view.relation {
        text.push_str(&format!(", only {relation}"));
    }
    text
}

/// When the picture is from, and whether it still moves.
fn freshness(state: &State, picture: &Picture, palette: Palette) -> Vec<Span<'static>> {
    let style = |look| palette.style(look);
    let mut spans = Vec::new();
    if state.flow == Flow::Paused {
        spans.push(span("PAUSED ", style(Look::Warning)));
    }
    let (look, text) = match state.link {
        Link::Up => (Look::Plain, picture.clock.clone()),
        _ => (Look::Bad, format!("OLD: as it was at {}", picture.clock)),
    };
    spans.push(span(text, style(look)));
    spans
}

fn counts(state: &State, snapshot: &Snapshot, palette: Palette) -> Vec<Span<'static>> {
    let style = |look| palette.style(look);
    let number = |n: usize, noun: &str| ui::count(n as u64, noun);
    let mut spans = vec![span(
        number(snapshot.sessions.len(), "session"),
        style(Look::Plain),
    )];
    let mut more = |look: Look, text: String| {
        spans.push(span(" · ", style(Look::Faint)));
        spans.push(span(text, style(look)));
    };
    match (snapshot.waiters.len(), snapshot.roots.len()) {
        _ if snapshot.extent == Extent::Unknown => {
            more(Look::Warning, "who waits for a lock is unknown".to_owned());
        }
        (0, _) if snapshot.extent != Extent::Whole => more(
            Look::Warning,
            "none of those shown waits for a lock".to_owned(),
        ),
        (0, _) => more(Look::Good, "nobody waits for a lock".to_owned()),
        (1, roots) => more(Look::Bad, format!("1 waits for {}", number(roots, "root"))),
        (waiters, roots) => {
            let waiters = number(waiters, "");
            more(
                Look::Bad,
                format!(
                    "{} wait for {}",
                    waiters.trim_end_matches([' ', 's']),
                    number(roots, "root")
                ),
            );
        }
    }
    let old = snapshot.long_idle().count();
    if old > 0 {
        let age = words::age_text(LONG).replace(".0 s", " s");
        more(
            Look::Warning,
            format!("{old} idle in transaction for over {age}"),
        );
    }
    if snapshot.elsewhere > 0 {
        more(
            Look::Faint,
            format!("{} in other databases", snapshot.elsewhere),
        );
    }
    if !state.filter.is_empty() || state.mode == Mode::Filter {
        let shown = state.list.rows().count();
        more(
            Look::Name,
            format!("/{}: {shown} of {}", state.filter, state.list.all),
        );
    }
    spans
}

/// `every 1s, a look takes 3 ms (0.3 %)`
fn pace(state: &State, picture: &Picture) -> String {
    let pause = picture.pause.max(Duration::from_millis(1));
    let share = 100.0 * picture.cost.as_secs_f64() / pause.as_secs_f64();
    let slower = match picture.pause > state.interval {
        true => " (slowed down)",
        false => "",
    };
    format!(
        "every {}{slower}, a look takes {} ({share:.1} %)",
        ui::seconds(pause.as_secs_f64()).replace(".0 s", " s"),
        ui::seconds(picture.cost.as_secs_f64())
    )
}

/// What keeps the picture from being new, or whole.
fn hindrance(state: &State) -> Option<(Look, String)> {
    match &state.link {
        Link::Lost { why, attempts } => {
            return Some((
                Look::Bad,
                format!("connection lost, attempt {attempts} to get it back: {why}"),
            ));
        }
        Link::Slow { seconds } => {
            return Some((
                Look::Warning,
                format!(
                    "the server has not answered for {seconds} s; waiting, since a new connection may be hard to get"
                ),
            ));
        }
        Link::Trouble { why } => return Some((Look::Bad, format!("could not look: {why}"))),
        Link::Up => {}
    }
    let snapshot = &state.picture.as_ref()?.snapshot;
    if let Some(text) = words::limited(snapshot.extent) {
        return Some((Look::Warning, text));
    }
    let hidden = snapshot.hidden();
    let role = &snapshot.us.asker.role;
    (hidden > 0).then(|| {
        let whose = ui::count(hidden as u64, "session");
        let grant = words::grant_to_see(role);
        (
            Look::Warning,
            format!("{role} may not see what {whose} do: {grant}"),
        )
    })
}

pub(super) fn has_news(state: &State) -> bool {
    state.told.is_some()
}

pub(super) fn told(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let Some(told) = &state.told else {
        return;
    };
    let look = match told {
        Told::Good(_) => Look::Good,
        Told::Bad(_) => Look::Bad,
    };
    let text = cut(told.text(), usize::from(area.width));
    put(
        buffer,
        area,
        0,
        &Line::from(span(text, palette.style(look))),
    );
}

/// As many as fit; the way out always does.
pub(super) fn keys(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let sort = format!("sort: {}", state.sort.name());
    let pause = match state.flow {
        Flow::Live => "pause",
        Flow::Paused => "go on",
    };
    let keys: Vec<(&str, &str)> = match &state.mode {
        Mode::List => KEYS
            .iter()
            .map(|(key, name, _)| match *key {
                "s" => (*key, &*sort),
                "p" => (*key, pause),
                _ => (*key, *name),
            })
            .collect(),
        Mode::Filter => vec![("Enter", "keep the filter"), ("Esc", "clear it")],
        Mode::Details { .. } => vec![
            ("Esc", "back"),
            ("↑↓", "scroll"),
            ("c", "cancel"),
            ("t", "terminate"),
            ("p", pause),
        ],
        Mode::Confirm { .. } => vec![("Enter", "do it, if the pid is right"), ("Esc", "leave it")],
        Mode::Help | Mode::Refused { .. } => vec![("Esc", "back")],
    };
    let mut room = usize::from(area.width);
    let own = |(key, name): &(&str, &str)| width(key) + width(name) + 3;
    let last = keys.last().map_or(0, own);
    let mut spans = Vec::new();
    for (at, pair) in keys.iter().enumerate() {
        let needed = own(pair) + if at + 1 == keys.len() { 0 } else { last };
        if needed > room + 2 {
            continue;
        }
        room = room.saturating_sub(own(pair));
        spans.push(span(pair.0.to_owned(), palette.style(Look::Strong)));
        spans.push(span(format!(" {}  ", pair.1), palette.style(Look::Faint)));
    }
    put(buffer, area, 0, &Line::from(spans));
}
