//! A rollback by the backup of a run: what stands where in the end, and what differs. Pure.

use std::fmt::Write;

use super::model::RunReport;
use crate::exit::Changed;
use crate::rollback::{Rows, TableRows};
use crate::ui::{count, seconds};

/// Tables that the report lists; the journal has them all.
const TABLES: usize = 100;

/// What a reader wants to know first.
pub(super) fn headline(report: &RunReport) -> String {
    let of = report.started.rolls_back.as_deref().unwrap_or_default();
    let beside = match (&report.restored, &report.swapped) {
        (_, Some(s)) => format!(
            "the backup of run {of} is {} now; the old database is kept, whole, as {}",
            s.database, s.kept_as
        ),
        (Some(r), None) => format!(
            "the backup of run {of} is restored into {}, beside the live database",
            r.database
        ),
        (None, None) => String::new(),
    };
    let upper = |text: String| text[..1].to_uppercase() + &text[1..];
    match (report.exit_code, report.started.dry_run, beside.is_empty()) {
        (None, ..) => format!(
            "The rollback broke off: {}.",
            or(beside, "how far it came is not known")
        ),
        (Some(0), true, _) => {
            format!("Dry run: the backup of run {of} is whole. Nothing was changed.")
        }
        (Some(0), false, false) => format!("{}.", upper(beside)),
        (Some(0), false, true) => {
            format!("The backup of run {of} was compared with the live database.")
        }
        (Some(code), ..) => {
            let state = match report.changed {
                Changed::No => "nothing on the server was changed".to_owned(),
                Changed::Yes => or(beside, "something of it is left on the server"),
                Changed::Unknown => "whether the databases changed is unknown".to_owned(),
            };
            format!("Halted with exit code {code}: {state}.")
        }
    }
}

fn or(text: String, other: &str) -> String {
    if text.is_empty() {
        other.to_owned()
    } else {
        text
    }
}

/// What was restored, and how the two differ.
pub(super) fn markdown(out: &mut String, report: &RunReport) {
    if let Some(restored) = &report.restored {
        let _ = writeln!(out, "\n### Restored\n");
        let _ = writeln!(out, "- **Database**: `{}`", restored.database);
        let _ = writeln!(
            out,
            "- **Rows**: {} in {}, {}, in {}",
            restored.rows,
            count(restored.tables, "table"),
            count(restored.statements, "statement"),
            seconds(restored.seconds)
        );
    }
    if let Some(swapped) = &report.swapped {
        let _ = writeln!(
            out,
            "- **Swapped**: `{}` is `{}` now; the old one is kept as `{}`",
            swapped.by, swapped.database, swapped.kept_as
        );
    }
    let Some(compared) = &report.compared else {
        return;
    };
    let _ = writeln!(out, "\n### Compared With the Live Database\n");
    if compared.is_same() {
        let _ = writeln!(
            out,
            "They are the same: rows of each table, schema, migrations."
        );
        return;
    }
    let _ = writeln!(out, "{}.\n", compared.loss());
    let _ = writeln!(
        out,
        "| table | {} | {} |\n|---|---|---|",
        compared.live, compared.restored
    );
    for TableRows {
        table,
        live,
        restored,
    } in compared.differing().into_iter().take(TABLES)
    {
        let _ = writeln!(out, "| {table} | {} | {} |", cell(*live), cell(*restored));
    }
    for line in compared.schema.iter().take(TABLES) {
        let state = match (&line.live, &line.restored) {
            (Some(_), None) => "in the live one alone",
            (None, _) => "in the restored one alone",
            (Some(_), Some(_)) => "is defined otherwise",
        };
        let _ = writeln!(out, "\n- {} `{}`: {state}", line.kind, line.name);
    }
    for name in &compared.applied_in_live_alone {
        let _ = writeln!(out, "\n- `{name}` is applied in the live one alone");
    }
    for name in &compared.applied_in_restored_alone {
        let _ = writeln!(out, "\n- `{name}` is applied in the restored one alone");
    }
}

fn cell(rows: Option<Rows>) -> String {
    match rows {
        None => "no such table".to_owned(),
        Some(Rows::Counted(n)) => n.to_string(),
        Some(Rows::Estimated(n)) => format!("about {n}"),
        Some(Rows::Unknown) => "unknown".to_owned(),
    }
}
