//! What a file is, and what came of its restore: for a person, and as JSON.
//!
//! Absent here: anything that happens.

use std::path::Path;

use dumper::Manifest;
use jiff::Timestamp;
use serde::Serialize;

use super::place::{History, Place};
use crate::args::Format;
use crate::event::RestoreErred;
use crate::failure::{Failure, FailurePart};
use crate::restore::{Broken, Compared, Outcome};
use crate::ui::style::{Look, paint};
use crate::ui::{self, age, bytes, count, one_line, out, seconds, wrapped};

/// Errors that are listed for a person.
const LISTED: usize = 50;

/// Before anything is done with it.
pub(super) fn file(path: &Path, manifest: Option<&Manifest>) -> Vec<String> {
    let mut lines = vec![paint(Look::Heading, ui::path(path))];
    let Some(m) = manifest else {
        lines.push(
            "  no manifest of ours beside it: it is read whole before anything is done".to_owned(),
        );
        return lines;
    };
    let taken = m.created_at.parse::<Timestamp>().ok();
    let since = |t: Timestamp| Timestamp::now().duration_since(t).as_secs();
    let ago = taken
        .and_then(|t| u64::try_from(since(t)).ok())
        .map(|seconds| format!(" ({} ago)", age(seconds)))
        .unwrap_or_default();
    let at = m
        .created_at
        .get(..16)
        .unwrap_or(&m.created_at)
        .replace('T', " ");
    lines.push(format!("  database {}, taken {at} UTC{ago}", m.database));
    lines.push(format!(
        "  {} {}, {}, {}, {}, PostgreSQL {}, pg_dump {}",
        m.format.as_str(),
        m.compression,
        bytes(m.bytes),
        count(m.tables.len() as u64, "table"),
        count(m.rows, "row"),
        m.server_version,
        m.pg_dump_version
    ));
    lines.push(format!(
        "  verified when it was taken: {}",
        m.verified.as_str()
    ));
    if let Some(refuted) = &m.refuted {
        let words = format!("do not rely on it: {}", refuted.why);
        lines.push(wrapped("  ", &paint(Look::Warning, words)));
    }
    if let Some(needs) = &m.needs {
        let needs = needed(needs);
        if !needs.is_empty() {
            lines.push(wrapped("  ", &format!("needs {}", needs.join("; "))));
        }
    }
    if !m.selection.is_everything() {
        lines.push(paint(Look::Warning, "  it does not hold everything: ") + &part(m));
    }
    lines
}

fn needed(needs: &dumper::Needs) -> Vec<String> {
    let list = |what: &str, names: &std::collections::BTreeSet<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    [
        list("roles", &needs.roles),
        list("extensions", &needs.extensions),
        list("tablespaces", &needs.tablespaces),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn part(m: &Manifest) -> String {
    let selection = &m.selection;
    let mut parts = Vec::new();
    if selection.schema_only {
        parts.push("definitions only, no rows".to_owned());
    }
    if !selection.tables.is_empty() {
        parts.push(format!("only {}", selection.tables.join(", ")));
    }
    if !selection.exclude_table_data.is_empty() {
        parts.push(format!(
            "no rows of {}",
            selection.exclude_table_data.join(", ")
        ));
    }
    parts.join("; ")
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    database: &'a str,
    statements: u64,
    rows: u64,
    errors: &'a [RestoreErred],
    seconds: f64,
    tables: u64,
    server: &'a str,
    skipped: &'a [String],
    differences: &'a [String],
    notes: &'a [String],
    /// None where the restored database has no such table, or it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a Compared>,
    #[serde(flatten)]
    failure: Option<FailurePart<'a>>,
}

#[derive(Debug, Serialize)]
struct BrokenDocument<'a> {
    schema_version: u32,
    command: &'static str,
    /// The one that was wanted.
    database: &'a str,
    server: &'a str,
    errors: &'a [RestoreErred],
    #[serde(flatten)]
    failure: FailurePart<'a>,
}

/// A restore that did not come to its end.
pub(super) fn broken(
    broken: Broken,
    into: &str,
    place: &Place,
    format: Format,
) -> Result<u8, Failure> {
    let Broken { failure, at } = broken;
    if format == Format::Text {
        return Err(failure);
    }
    out::document(&BrokenDocument {
        schema_version: 1,
        command: "restore",
        database: into,
        server: &place.server,
        errors: at.as_slice(),
        failure: failure.part(),
    });
    out::talk(ui::failure(&failure));
    Ok(failure.code())
}

/// The exit code follows from the failure, if there is one.
pub(super) fn tell(
    outcome: Outcome,
    place: &Place,
    history: &History,
    format: Format,
) -> Result<u8, Failure> {
    let Outcome { restored, failure } = outcome;
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "restore",
            database: &restored.database,
            statements: restored.statements,
            rows: restored.rows,
            errors: &restored.errors,
            seconds: restored.seconds,
            tables: restored.tables,
            server: &place.server,
            skipped: &restored.skipped,
            differences: &restored.differences,
            notes: &restored.notes,
            history: match history {
                History::Read(compared) => Some(compared),
                _ => None,
            },
            failure: failure.as_ref().map(Failure::part),
        }),
        Format::Text => {
            out::answer(format!(
                "{} on {}: {}, {}, {} in {}",
                restored.database,
                place.server,
                count(restored.tables, "table"),
                count(restored.rows, "row"),
                count(restored.statements, "statement"),
                seconds(restored.seconds)
            ));
            for error in listed(&restored.errors) {
                out::answer(error);
            }
            for line in migrations(history) {
                out::answer(wrapped("", &line));
            }
        }
    }
    match failure {
        None => Ok(0),
        Some(failure) => {
            // the answer has said it already, so the failure prints no document of its own
            out::talk(ui::failure(&failure));
            Ok(failure.code())
        }
    }
}

fn listed(errors: &[RestoreErred]) -> Vec<String> {
    let mut lines: Vec<String> = errors
        .iter()
        .take(LISTED)
        .map(|e| {
            let statement = one_line(&e.statement, 120);
            format!(
                "  line {}: {} ({})\n    {statement}",
                e.line, e.message, e.sqlstate
            )
        })
        .collect();
    if let Some(more) = errors.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more: --format json lists them all"));
    }
    lines
}

fn migrations(history: &History) -> Vec<String> {
    match history {
        History::Read(compared) => compared.lines(),
        History::None => vec!["there is no table django_migrations in it".to_owned()],
        History::Alone { applied } => {
            vec![format!("{} recorded in it", count(*applied, "migration"))]
        }
        History::Unread { why } => vec![format!("what migrations it has is not known: {why}")],
    }
}
