//! One session whole: who, what it does, what it waits for and holds, its query, what would end it. And in short, as a
//! strip below the list.

use pgdriver::activity::{SessionInfo, Target};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::Line;

use super::look::{Look, Palette};
use super::text::{cut, put, span, wrap};
use crate::locks::{self, Hold, Literals, Root, Snapshot, words};
use crate::ui;
use crate::ui::watch::rows::Key;
use crate::ui::watch::state::State;
use crate::ui::watch::target::refusal;

/// Where values begin.
const INDENT: usize = 14;
const NOTE: &str = "\n(literals are hidden; --show-literals shows them)";

/// Three lines on the selected session, under a rule.
pub(super) fn strip(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let (Some(picture), Some(key)) = (&state.picture, &state.selected) else {
        return;
    };
    let width = usize::from(area.width);
    let style = |look| palette.style(look);
    put(
        buffer,
        area,
        0,
        &Line::from(span("─".repeat(width), style(Look::Faint))),
    );
    let facts = facts(key, &picture.snapshot);
    let value = |name: &str| {
        facts
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, text)| text.as_str())
    };
    let who = format!(
        "{}: {}",
        value("who").unwrap_or_default(),
        value("does").unwrap_or_default()
    );
    let query = value("query").unwrap_or_default();
    let query = query.split(NOTE).next().unwrap_or_default();
    let remedy = value("remedy").unwrap_or_default().replace('\n', "; ");
    let lines = [
        (Look::Strong, who),
        (Look::Plain, ui::one_line(query, width)),
        (Look::Good, format!("→ {remedy}")),
    ];
    for (row, (look, text)) in (1..area.height).zip(lines) {
        put(
            buffer,
            area,
            row,
            &Line::from(span(cut(&text, width), style(look))),
        );
    }
}

pub(super) fn draw(
    state: &State,
    scroll: usize,
    palette: Palette,
    area: Rect,
    buffer: &mut Buffer,
) {
    let (Some(picture), Some(key)) = (&state.picture, &state.selected) else {
        return;
    };
    let mut facts = facts(key, &picture.snapshot);
    if let (Key::Backend(pid), Some((of, held))) = (key, &state.held)
        && pid == of
    {
        let at = facts
            .iter()
            .position(|(name, _)| *name == "query")
            .unwrap_or(facts.len());
        facts.insert(at, ("strong locks", held_text(held)));
    }
    let room = usize::from(area.width).saturating_sub(INDENT);
    let mut lines = vec![Line::default()];
    for (name, text) in facts {
        let wrapped = text.lines().flat_map(|line| wrap(line, room));
        for (at, part) in wrapped.enumerate() {
            let title = if at == 0 { name } else { "" };
            let look = match name {
                "who" => Look::Strong,
                "remedy" => Look::Good,
                _ => Look::Plain,
            };
            lines.push(Line::from(vec![
                span(format!("{title:<INDENT$}"), palette.style(Look::Faint)),
                span(part, palette.style(look)),
            ]));
        }
    }
    let most = lines.len().saturating_sub(usize::from(area.height));
    let shown = lines.iter().skip(scroll.min(most));
    for (row, line) in (0..area.height).zip(shown) {
        put(buffer, area, row, line);
    }
}

fn held_text(held: &Result<Vec<String>, String>) -> String {
    match held {
        Ok(locks) if locks.is_empty() => {
            "none on tables from SHARE UPDATE EXCLUSIVE up, or none that is visible yet".to_owned()
        }
        Ok(locks) => locks.join("\n"),
        Err(why) => format!("could not be read: {why}"),
    }
}

type Facts = Vec<(&'static str, String)>;

fn facts(key: &Key, snapshot: &Snapshot) -> Facts {
    match key {
        Key::Backend(pid) => match snapshot.session(*pid) {
            Some(session) => of_session(session, snapshot),
            None => vec![
                ("who", format!("backend {pid}")),
                ("does", "it is gone".to_owned()),
            ],
        },
        Key::Prepared(gid) => of_prepared(gid, snapshot),
    }
}

fn of_session(session: &SessionInfo, snapshot: &Snapshot) -> Facts {
    let pid = session.pid;
    let mut facts = vec![
        ("who", format!("backend {pid}, {}", words::who(session))),
        ("does", words::doing(session)),
    ];
    if let Some(database) = &session.database {
        facts.push(("database", database.clone()));
    }
    let detail = session.detail.seen();
    if let Some(age) = detail.and_then(|detail| detail.session_age) {
        facts.push(("connected", format!("for {}", words::age_text(age))));
    }
    if let Some(kind) = detail.and_then(|detail| detail.wait_event_type.as_ref()) {
        let event = detail.and_then(|detail| detail.wait_event.clone());
        facts.push((
            "wait event",
            format!("{kind}: {}", event.unwrap_or_default()),
        ));
    }
    facts.extend(waits(pid, snapshot));
    let root = snapshot.roots.iter().find(|root| root.pids.contains(&pid));
    if let Some(root) = root {
        facts.extend(blocks(root));
    }
    if let Some(detail) = detail {
        let note = match snapshot.view.literals {
            Literals::Hidden if detail.query.contains('?') => NOTE,
            _ => "",
        };
        facts.push(("query", format!("{}{note}", detail.query)));
    }
    let remedy = root.map_or_else(|| snapshot.remedy(session), |root| root.remedy.clone());
    let mut text = remedy.to_string();
    if root.is_none() && snapshot.waiter(pid).is_some() {
        text = "it waits itself: what frees it is the end of those it waits for".to_owned();
    } else {
        // what this screen would refuse it does not suggest
        match refusal(session, snapshot).filter(|_| !remedy.sql().is_empty()) {
            Some(why) => {
                text = format!("not from this screen: {}", why.join(" "));
            }
            None => text.extend(remedy.sql().iter().map(|sql| format!("\n{sql};"))),
        }
    }
    facts.push(("remedy", text));
    facts
}

fn waits(pid: i32, snapshot: &Snapshot) -> Option<(&'static str, String)> {
    let waiter = snapshot.waiter(pid)?;
    let what = match &waiter.wait {
        Some(wait) => {
            let mode = wait
                .lock_mode()
                .map_or_else(|| wait.mode.clone(), |mode| mode.to_string());
            match wait.target {
                Target::VirtualTransaction { .. } => locks::what(wait),
                _ => format!("{mode} on {}", locks::what(wait)),
            }
        }
        None => "a lock".to_owned(),
    };
    let waited = waiter
        .waited()
        .map(|age| format!(", for {}", words::age_text(age)))
        .unwrap_or_default();
    let name = |pid: &i32| match *pid {
        ..=0 => "a prepared transaction".to_owned(),
        pid => match snapshot.session(pid) {
            Some(session) => format!("backend {pid}, {}", words::who(session)),
            None => format!("backend {pid}"),
        },
    };
    let direct = waiter.waits_for.iter().take(8).map(name);
    let mut text = format!("{what}{waited}");
    text.extend(direct.map(|who| format!("\nbehind {who}")));
    if waiter.waits_for.len() > 8 {
        text.push_str(&format!("\nand {} more", waiter.waits_for.len() - 8));
    }
    Some(("waits for", text))
}

fn blocks(root: &Root) -> Facts {
    let longest = root
        .longest
        .map(|age| format!(", the longest for {}", words::age_text(age)))
        .unwrap_or_default();
    let mut facts = vec![(
        "blocks",
        format!(
            "{}{longest}",
            ui::count(root.waiting.len() as u64, "session")
        ),
    )];
    if root.deadlock {
        let pids: Vec<String> = root.pids.iter().map(i32::to_string).collect();
        facts.push((
            "deadlock",
            format!("backends {} wait for each other", pids.join(", ")),
        ));
    }
    if !root.holds.is_empty() {
        let holds: Vec<String> = root.holds.iter().map(hold).collect();
        facts.push(("holds", holds.join("\n")));
    }
    facts
}

fn hold(hold: &Hold) -> String {
    match hold.mode {
        Some(mode) => format!("{mode} on {}", hold.what),
        None => hold.what.clone(),
    }
}

fn of_prepared(gid: &str, snapshot: &Snapshot) -> Facts {
    let root = snapshot
        .roots
        .iter()
        .find(|root| root.prepared.as_ref().is_some_and(|one| one.gid == gid));
    let known = snapshot.prepared.iter().find(|one| one.gid == gid);
    let mut facts = vec![("who", format!("prepared transaction {gid}"))];
    let of = root
        .and_then(|root| root.prepared.as_ref())
        .map(|one| (&one.owner, one.age))
        .or(known.map(|one| (&one.owner, one.age)));
    if let Some((owner, age)) = of {
        facts.push((
            "does",
            format!("of {owner}, prepared {} ago", words::age_text(age)),
        ));
    }
    facts.extend(root.map(blocks).unwrap_or_default());
    if let Some(known) = known {
        facts.push(("locks", known.relations.join(", ")));
    }
    let remedy = match (root, known) {
        (Some(root), _) => Some(root.remedy.clone()),
        (None, Some(known)) => Some(snapshot.us.remedy_for_prepared(known)),
        (None, None) => None,
    };
    if let Some(remedy) = remedy {
        let sql = remedy.sql();
        facts.push(("remedy", format!("{remedy}\n{};", sql.join(";\n"))));
    }
    facts
}
