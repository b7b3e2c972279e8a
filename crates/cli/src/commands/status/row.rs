//! A migration with its state, in JSON and as a line on the screen.
//!
//! Absent here: where it was read.

use serde::Serialize;

use crate::django::wire::MigrationState;
use crate::failure::FailurePart;
use crate::ui::style::{Look, paint};

#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    pub(super) schema_version: u32,
    pub(super) command: &'static str,
    /// Who was asked: what a database alone does not say is in `unknown`.
    pub(super) source: Source,
    pub(super) migrations: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Place>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) unknown: &'static [&'static str],
    #[serde(flatten)]
    pub(super) failure: Option<FailurePart<'a>>,
}

/// Where the history is.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) database: String,
    pub(super) has_table: bool,
    pub(super) schema: Option<String>,
    /// Other schemas with such a table.
    pub(super) elsewhere: Vec<String>,
    /// A standby answered: what the primary recorded last may not be there yet. None: the role may not ask.
    pub(super) standby: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Django,
    Database,
}

#[derive(Debug, Serialize)]
pub(in crate::commands) struct Row {
    pub(in crate::commands) app: String,
    pub(in crate::commands) name: String,
    pub(super) state: MigrationState,
    pub(super) applied_at: Option<String>,
    pub(super) duplicate: bool,
    pub(in crate::commands) out_of_order: bool,
}

impl Source {
    /// Django knows what depends on what; the table knows ids and times.
    fn out_of_order(self) -> &'static str {
        match self {
            Self::Django => "applied before one that it depends on",
            Self::Database => "its time does not fit its place in the table",
        }
    }
}

/// The rows under headings of their apps.
pub(super) fn list(rows: &[Row], source: Source) -> String {
    let mut out = String::new();
    let mut app = "";
    for row in rows {
        if row.app != app {
            app = &row.app;
            out.push_str(&format!("{}\n", paint(Look::Heading, app)));
        }
        out.push_str(&line(row, source));
        out.push('\n');
    }
    out
}

fn line(row: &Row, source: Source) -> String {
    let mark = match row.state {
        MigrationState::Applied => "[X]",
        MigrationState::Pending => "[ ]",
        MigrationState::Squashed => "[x]",
        MigrationState::Missing => "[?]",
        MigrationState::PartlySquashed => "[~]",
    };
    let mut remarks = Vec::new();
    match row.state {
        MigrationState::Applied | MigrationState::Pending => {}
        MigrationState::Squashed => remarks.push("replaced by a squash"),
        MigrationState::Missing => remarks.push("applied, but its file is missing"),
        MigrationState::PartlySquashed => remarks.push("a squash of which only a part is applied"),
    }
    if row.duplicate {
        remarks.push("recorded more than once");
    }
    if row.out_of_order {
        remarks.push(source.out_of_order());
    }
    let remarks = if remarks.is_empty() {
        String::new()
    } else {
        format!("  {}", paint(Look::Warning, remarks.join(", ")))
    };
    let at = row.applied_at.as_deref().map(moment).unwrap_or_default();
    let name = &row.name;
    match at.is_empty() {
        true => format!(" {mark} {name}{remarks}"),
        false => format!(" {mark} {name:<48} {}{remarks}", paint(Look::Faint, at)),
    }
}

/// `2026-11-22 09:30 UTC`; without a zone where the history has none (USE_TZ = False and its like).
fn moment(applied: &str) -> String {
    match applied.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => applied.get(..16).unwrap_or(applied).replace('T', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_zone() {
        assert_eq!(
            moment("2026-11-22T10:30:12.5+01:00"),
            "2026-11-22 09:30 UTC"
        );
        assert_eq!(moment("2026-11-22T10:30:12.5"), "2026-11-22 10:30");
    }
}
