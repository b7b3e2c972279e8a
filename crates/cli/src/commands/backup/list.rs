//! `backup list`: what the backup folder holds, as a table.
//!
//! Absent here: reading the archives; that is `backup verify`'s.

use std::path::Path;

use dumper::{Listed, Manifest, Selection, State, Writer};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::Format;
use crate::exit::Class;
use crate::failure::Failure;
use crate::ui::style::{Look, paint};
use crate::ui::{self, age, bytes, grouped, out};

#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    command: &'static str,
    folder: String,
    backups: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    file: String,
    bytes: u64,
    database: Option<String>,
    created_at: Option<String>,
    rows: Option<u64>,
    age_seconds: Option<u64>,
    format: Option<&'static str>,
    compression: Option<String>,
    tables: Option<u64>,
    /// What was proven when it was taken.
    verified: Option<&'static str>,
    sha256: Option<String>,
    server_version: Option<String>,
    /// Where it does not hold everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    selection: Option<Selection>,
    /// `whole`, `resized`, `refuted`, `without_manifest`, `unread_manifest`, `being_written`, `left_over`, `unfinished`
    state: &'static str,
    /// In words, where it is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

pub(super) fn list(directory: &Path, format: Format) -> Result<u8, Failure> {
    let listed = dumper::list(directory).map_err(|e| {
        Failure::new(
            Class::Usage,
            format!("{} cannot be listed: {e}", directory.display()),
        )
    })?;
    let now = Timestamp::now();
    let rows: Vec<Row> = listed.iter().map(|entry| row(entry, now)).collect();
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "backup",
            folder: ui::path(directory),
            backups: rows,
        }),
        Format::Text if rows.is_empty() => {
            out::answer(format!("no backups in {}", ui::path(directory)));
        }
        Format::Text => table(&rows, directory).into_iter().for_each(out::answer),
    }
    Ok(0)
}

fn row(entry: &Listed, now: Timestamp) -> Row {
    let manifest = entry.manifest.as_ref();
    let (state, why) = state(entry);
    let old = now.duration_since(entry.created()).as_secs();
    Row {
        file: ui::path(&entry.path),
        bytes: entry.bytes,
        database: manifest.map(|m| m.database.clone()),
        created_at: manifest.map(|m| m.created_at.clone()),
        rows: manifest.map(|m| m.rows),
        age_seconds: u64::try_from(old).ok(),
        format: entry.format().map(dumper::Format::as_str),
        compression: manifest.map(|m| m.compression.clone()),
        tables: manifest.map(|m| m.tables.len() as u64),
        verified: entry.verified().map(dumper::Verified::as_str),
        sha256: manifest.map(|m| m.sha256.clone()),
        server_version: manifest.map(|m| m.server_version.to_string()),
        selection: manifest.and_then(part),
        state,
        why,
    }
}

fn part(manifest: &Manifest) -> Option<Selection> {
    let selection = &manifest.selection;
    (!selection.is_everything()).then(|| selection.clone())
}

fn state(entry: &Listed) -> (&'static str, Option<String>) {
    match &entry.state {
        State::Whole => ("whole", None),
        State::Resized { written } => (
            "resized",
            Some(format!(
                "cut or changed: {} now, {} when it was written",
                bytes(entry.bytes),
                bytes(*written)
            )),
        ),
        State::Refuted { why } => ("refuted", Some(format!("do not rely on it: {why}"))),
        State::WithoutManifest => (
            "without_manifest",
            Some("no manifest of ours beside it".to_owned()),
        ),
        State::UnreadManifest { reason } => {
            ("unread_manifest", Some(format!("its manifest: {reason}")))
        }
        State::Unfinished(Writer::AtWork) => {
            ("being_written", Some("being written now".to_owned()))
        }
        State::Unfinished(Writer::Gone) => (
            "left_over",
            Some("no backup: whoever wrote it is gone".to_owned()),
        ),
        State::Unfinished(Writer::Unknown) => {
            ("unfinished", Some("no backup, or not yet".to_owned()))
        }
    }
}

const HEAD: [&str; 8] = [
    "taken (UTC)",
    "age",
    "database",
    "format",
    "size",
    "rows",
    "proof",
    "file",
];
/// Those that are numbers.
const RIGHT: [usize; 3] = [1, 4, 5];

/// The newest last: where the eye is.
fn table(rows: &[Row], directory: &Path) -> Vec<String> {
    let cells: Vec<[String; 8]> = rows.iter().map(|row| cells(row, directory)).collect();
    let head = HEAD.map(str::to_owned);
    let width = |at: usize| {
        let all = cells.iter().chain([&head]);
        all.map(|row| row[at].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line =
        |row: &[String; 8]| {
            let padded = row.iter().zip(&widths).enumerate().map(|(at, (cell, w))| {
                match RIGHT.contains(&at) {
                    true => format!("{cell:>w$}"),
                    false => format!("{cell:<w$}"),
                }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
    let mut lines = vec![paint(Look::Faint, line(&head))];
    for (row, cells) in rows.iter().zip(&cells) {
        lines.push(line(cells));
        if let Some(why) = &row.why {
            let look = match row.state {
                "being_written" | "without_manifest" => Look::Faint,
                _ => Look::Warning,
            };
            lines.push(paint(look, format!("  {why}")));
        }
        if let Some(selection) = &row.selection {
            lines.push(paint(Look::Warning, format!("  {}", said(selection))));
        }
    }
    let all: u64 = rows.iter().map(|row| row.bytes).sum();
    let n = ui::count(rows.len() as u64, "file");
    lines.push(paint(
        Look::Faint,
        format!("{n}, {} in {}", bytes(all), ui::path(directory)),
    ));
    lines
}

fn cells(row: &Row, directory: &Path) -> [String; 8] {
    let none = || "-".to_owned();
    let at = row.created_at.as_deref().and_then(|t| t.get(..16));
    let format = match (row.format, &row.compression) {
        (Some(format), Some(how)) => format!("{format} {how}"),
        (Some(format), None) => format.to_owned(),
        (None, _) => none(),
    };
    let name = Path::new(&row.file)
        .strip_prefix(ui::path(directory))
        .unwrap_or(Path::new(&row.file));
    [
        at.map_or_else(none, |at| at.replace('T', " ")),
        row.age_seconds.map_or_else(none, age),
        row.database.clone().unwrap_or_else(none),
        format,
        bytes(row.bytes),
        row.rows.map_or_else(none, grouped),
        // what was proven is not what is there now
        row.verified
            .filter(|_| row.state != "resized")
            .unwrap_or("-")
            .to_owned(),
        name.display().to_string(),
    ]
}

fn said(selection: &Selection) -> String {
    let mut parts = Vec::new();
    if selection.schema_only {
        parts.push("definitions only".to_owned());
    }
    if !selection.tables.is_empty() {
        parts.push(format!("only {}", selection.tables.join(", ")));
    }
    if !selection.exclude_table_data.is_empty() {
        let patterns = selection.exclude_table_data.join(", ");
        parts.push(format!("without the rows of {patterns}"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Row {
        Row {
            file: "backups/backup_shop_20261122_093000.sql.gz".into(),
            bytes: 2_400_000,
            database: Some("shop".into()),
            created_at: Some("2026-11-22T09:30:00.000Z".into()),
            rows: Some(3456),
            age_seconds: Some(3 * 3600),
            format: Some("plain"),
            compression: Some("gzip:6".into()),
            tables: Some(12),
            verified: Some("counts"),
            sha256: None,
            server_version: None,
            selection: None,
            state: "whole",
            why: None,
        }
    }

    #[test]
    fn a_list_is_a_table() {
        let cut = Row {
            file: "backups/backup_shop_20261122_103000.dump".into(),
            bytes: 100,
            rows: Some(1_234_567),
            format: Some("custom"),
            compression: Some("zstd:1".into()),
            state: "resized",
            why: Some("cut or changed".into()),
            ..whole()
        };
        let left = Row {
            file: "backups/backup_shop_20261122_113000.dir.partial".into(),
            bytes: 5,
            database: None,
            created_at: None,
            rows: None,
            format: Some("directory"),
            compression: None,
            verified: None,
            selection: None,
            state: "left_over",
            why: Some("no backup: whoever wrote it is gone".into()),
            ..whole()
        };
        let lines = table(&[whole(), cut, left], Path::new("backups"));
        let text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
        insta::assert_snapshot!(text, @r"
        taken (UTC)       age  database  format              size       rows  proof   file
        2026-11-22 09:30  3 h  shop      plain gzip:6      2.3 MB      3,456  counts  backup_shop_20261122_093000.sql.gz
        2026-11-22 09:30  3 h  shop      custom zstd:1  100 bytes  1,234,567  -       backup_shop_20261122_103000.dump
          cut or changed
        -                 3 h  -         directory        5 bytes          -  -       backup_shop_20261122_113000.dir.partial
          no backup: whoever wrote it is gone
        3 files, 2.3 MB in backups
        ");
    }
}
