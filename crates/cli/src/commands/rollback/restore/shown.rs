//! The backup of a run before it is restored, and the comparison afterwards, for a person or a script.

use dumper::Summary;
use serde_json::{Value, json};

use super::archive::Archive;
use crate::event::RunStarted;
use crate::rollback::{Compared, Rows, SchemaLine, TableRows};
use crate::ui::{self, bytes, count, one_line};

/// Lines of one kind that are shown; the document has them all.
const LINES: usize = 40;
const DEFINITION: usize = 100;

/// What would be restored, and where to.
pub(super) struct Shown<'a> {
    pub(super) of: &'a str,
    /// How that run was started.
    pub(super) started: &'a RunStarted,
    pub(super) run: &'a str,
    pub(super) archive: &'a Archive,
    pub(super) live: &'a str,
    pub(super) into: &'a str,
    pub(super) summary: &'a Summary,
}

impl Shown<'_> {
    pub(super) fn text(&self) -> String {
        let taken = &self.archive.taken;
        let created = self.created();
        [
            format!("{} is whole: {}, {}, {}", ui::path(&self.archive.path), bytes(taken.bytes), count(taken.tables, "table"), count(taken.rows, "row")),
            format!("taken {created}, before run {} changed anything; what was written since is not in it", self.of),
            format!("it would be restored into a new database, {}, beside {}, and compared with it", self.into, self.live),
            format!("to do that: {}", self.started.rollback(self.of, &["--restore", "--apply"])),
            format!("--swap then puts it in the place of {}, which is kept under another name, once {} is typed", self.live, self.live),
            String::new(),
        ]
        .join("\n")
    }

    fn created(&self) -> &str {
        let manifest = self.summary.manifest.as_ref();
        manifest.map_or(self.archive.run_began.as_str(), |m| m.created_at.as_str())
    }

    pub(super) fn document(&self) -> Value {
        let taken = &self.archive.taken;
        json!({
            "schema_version": 1,
            "command": "rollback",
            "of": self.of,
            "run": self.run,
            "restore": {
                "file": ui::path(&self.archive.path),
                "sha256": taken.sha256,
                "bytes": taken.bytes,
                "tables": taken.tables,
                "rows": taken.rows,
                "verified": taken.verified,
                "created_at": self.created(),
                "database": self.live,
                "into": self.into,
            },
        })
    }
}

/// The comparison as a table: what differs, and how much does not.
pub(super) fn compared(compared: &Compared) -> String {
    let mut lines = vec![format!("{} beside {}", compared.restored, compared.live)];
    if compared.is_same() {
        lines.push(
            "  the same tables with as many rows, the same schema, the same migrations".to_owned(),
        );
        return lines.join("\n");
    }
    rows(&mut lines, compared);
    listed(&mut lines, "schema", &compared.schema, schema);
    let migration = |name: &String| name.clone();
    let alone = [
        (&compared.live, &compared.applied_in_live_alone),
        (&compared.restored, &compared.applied_in_restored_alone),
    ];
    for (database, names) in alone {
        listed(
            &mut lines,
            &format!("applied in {database} alone"),
            names,
            migration,
        );
    }
    lines.push(format!("  {}", compared.loss()));
    lines.join("\n")
}

fn rows(lines: &mut Vec<String>, compared: &Compared) {
    let differing = compared.differing();
    let same = compared.tables.len() - differing.len();
    if differing.is_empty() {
        lines.push(format!(
            "  {} with as many rows",
            count(same as u64, "table")
        ));
        return;
    }
    let wide = differing
        .iter()
        .map(|t| t.table.len())
        .max()
        .unwrap_or(0)
        .clamp(5, 50);
    lines.push(format!(
        "  {:<wide$}  {:>14}  {:>14}",
        "table", "live", "restored"
    ));
    for TableRows {
        table,
        live,
        restored,
    } in differing.iter().take(LINES)
    {
        lines.push(format!(
            "  {table:<wide$}  {:>14}  {:>14}",
            cell(*live),
            cell(*restored)
        ));
    }
    if let Some(more) = differing.len().checked_sub(LINES).filter(|n| *n > 0) {
        lines.push(format!(
            "  and {} more that differ",
            count(more as u64, "table")
        ));
    }
    if same > 0 {
        lines.push(format!(
            "  {} with as many rows in both",
            count(same as u64, "table")
        ));
    }
}

fn cell(rows: Option<Rows>) -> String {
    match rows {
        None => "—".to_owned(),
        Some(Rows::Counted(n)) => n.to_string(),
        Some(Rows::Estimated(n)) => format!("~{n}"),
        Some(Rows::Unknown) => "?".to_owned(),
    }
}

fn schema(line: &SchemaLine) -> String {
    let SchemaLine {
        kind,
        name,
        live,
        restored,
    } = line;
    match (live, restored) {
        (Some(_), None) => format!("{kind} {name}: in the live one alone"),
        (None, _) => format!("{kind} {name}: in the restored one alone"),
        (Some(live), Some(restored)) => format!(
            "{kind} {name}: {} in the live one, {} in the restored one",
            one_line(live, DEFINITION),
            one_line(restored, DEFINITION)
        ),
    }
}

fn listed<T>(lines: &mut Vec<String>, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    lines.push(format!("  {title}"));
    lines.extend(
        items
            .iter()
            .take(LINES)
            .map(|item| format!("    {}", line(item))),
    );
    if let Some(more) = items.len().checked_sub(LINES).filter(|n| *n > 0) {
        lines.push(format!("    and {more} more"));
    }
}
