//! What events are in words, for the screen and for a log. Pure.
//!
//! Absent here: when something is said.

use super::Volume;
use crate::event::{Course, LockWaiting, Place, Planned, PlannedMigration, RunStarted, Swapped};
use crate::ui::pulse::Word;
use crate::ui::style::{Look, paint};
use crate::ui::{count, seconds};

/// Blockers that are named on the screen; the report has them all.
const NAMED: usize = 3;

/// As Django lists them.
pub(super) fn listed(plan: &Planned, mark: &str) -> Vec<String> {
    let line = |m: &PlannedMigration| format!("{mark} {}.{}", m.app, m.name);
    plan.migrations.iter().map(line).collect()
}

/// A line for each app, in the order in which they begin.
pub(super) fn by_app(plan: &Planned, mark: &str) -> Vec<String> {
    let mut apps: Vec<Vec<&PlannedMigration>> = Vec::new();
    for m in &plan.migrations {
        match apps.iter_mut().find(|app| app[0].app == m.app) {
            Some(app) => app.push(m),
            None => apps.push(vec![m]),
        }
    }
    let line = |app: Vec<&PlannedMigration>| match app.as_slice() {
        [first, .., last] => format!(
            "{mark} {}: {}, {} to {}",
            first.app,
            count(app.len() as u64, "migration"),
            first.name,
            last.name
        ),
        _ => format!("{mark} {}.{}", app[0].app, app[0].name),
    };
    let mut lines: Vec<String> = apps.into_iter().map(line).collect();
    let all = count(plan.migrations.len() as u64, "migration");
    lines.push(format!("{all} in all; -v lists each"));
    lines
}

pub(super) fn swapped_words(swapped: &Swapped) -> String {
    let Swapped {
        database,
        by,
        kept_as,
        ended_sessions,
    } = swapped;
    let ended = match ended_sessions {
        0 => String::new(),
        n => format!("; {} ended for it", count(*n, "session")),
    };
    format!("{by} is {database} now; the old one is kept, whole, as {kept_as}{ended}")
}

pub(super) fn wait_word(wait: &LockWaiting) -> Word {
    let place = match wait.place {
        Place::OutsideQueue => "outside",
        Place::InQueue => "in",
    };
    let pids: Vec<String> = wait.blockers.iter().map(|b| b.pid.to_string()).collect();
    Word {
        doing: "waiting",
        what: format!("{place} {}", wait.relation.as_deref().unwrap_or_default()),
        who: pids.join(" "),
        lasts_ms: wait.waited_ms,
    }
}

pub(super) fn waiting(wait: &LockWaiting) -> String {
    let relation = wait.relation.as_deref().unwrap_or("a lock");
    let place = match wait.place {
        Place::OutsideQueue => "waits outside the queue of",
        Place::InQueue => "waits for",
    };
    let mut who: Vec<String> = wait
        .blockers
        .iter()
        .take(NAMED)
        .map(|b| b.what.clone())
        .collect();
    if let Some(more) = wait
        .blockers
        .len()
        .checked_sub(NAMED)
        .filter(|more| *more > 0)
    {
        who.push(format!("{more} more"));
    }
    format!(
        "{place} {relation} for {}: {}",
        seconds(wait.waited_ms as f64 / 1000.0),
        who.join("; ")
    )
}
/// What is about to be done, as it is confirmed.
pub(crate) fn parameters(run: &RunStarted, volume: Volume) -> Vec<String> {
    let mode = if run.dry_run {
        "true: nothing in the database is changed".to_owned()
    } else {
        let done = run.direction().done();
        let what = match run.course() {
            Course::Restore => "false: a database is made beside the live one".to_owned(),
            Course::Forward | Course::Back => format!("false: the migrations are {done}"),
        };
        paint(Look::Warning, what)
    };
    let apps = run.app.as_deref().unwrap_or("all apps");
    let target = run
        .migration
        .as_deref()
        .map(|m| format!(" up to {m}"))
        .unwrap_or_default();
    let backup = if run.backup_first {
        match run.dry_run && run.rolls_back.is_some() {
            true => "true, with --apply".to_owned(),
            false => "true".to_owned(),
        }
    } else {
        paint(
            Look::Warning,
            "false: there will be no backup to go back to",
        )
    };
    let name = paint(
        Look::Heading,
        format!("django-migrate {}", run.tool_version),
    );
    let row = |key: &str, value: &str| format!("  {key:<13} {value}");
    let what = match &run.rolls_back {
        None => row("app_name", &format!("{apps}{target}")),
        Some(undone) => {
            let by = if run.restores { ", by its backup" } else { "" };
            row("rollback", &format!("of run {undone}{by}"))
        }
    };
    let mut lines = vec![name, what, row("dry_run", &mode)];
    if run.course() != Course::Restore {
        lines.push(row("backup_first", &backup));
    }
    lines.push(row("database", &run.database));
    if volume == Volume::Verbose {
        lines.push(row("project", &run.project));
    }
    lines
}
