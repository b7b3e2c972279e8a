//! `backup`: take one now; `backup verify FILE` reads one whole; `backup list` shows what is there.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::{Context, steps};
use crate::args::{BackupAction, BackupCommand, Format};
use crate::backup::{self, BackupPlan};
use crate::django::Django;
use crate::django::wire::Part;
use crate::event::BackupFinished;
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::reporter::{Listener, Reporter};
use crate::settings::{self, Layers, Target};
use crate::signal::{Asked, Signals};
use crate::ui::{Terminal, bytes, count, out, seconds};

pub(crate) async fn backup(
    args: BackupCommand,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let BackupCommand {
        action,
        django,
        backup,
        format,
    } = args;
    match action {
        Some(BackupAction::Verify(args)) => {
            return verify(&args.file, args.format, &context.signals).await;
        }
        Some(BackupAction::List { folder, format }) => {
            let dir = settings::backup_dir(folder, &mut layers)?;
            return list(&backup::directory(&dir, layers.root()), format);
        }
        None => {}
    }
    let settings = settings::backup(backup, &mut layers)?;
    let django = Django::locate(&settings::django(django, &mut layers)?)?;
    steps::tell_settings(&layers, context);
    let (facts, observed) = steps::working(context, "reading the project's settings", async {
        let everything = Target {
            app: None,
            migration: None,
        };
        let facts = steps::inspect(&django, &everything, &[Part::Graph], context).await?;
        gates::project(&facts)?;
        gates::connection(&facts)?;
        let observed = steps::observe(&facts, &django, context).await?;
        Ok::<_, Failure>((facts, observed))
    })
    .await?;
    drop(facts);
    let listener: Box<dyn Listener> = Box::new(Terminal::new(context.volume));
    let reporter = Reporter::new(vec![listener]);
    let plan = BackupPlan {
        settings: &settings,
        root: &django.settings.root,
        reach: &observed.reach,
        server: &observed.server,
        reporter: &reporter,
        signals: &context.signals,
    };
    let pg_dump = backup::pg_dump(&settings, &observed.server)?;
    let done = backup::take(pg_dump, &plan).await?;
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "backup",
            backup: done,
        }),
        Format::Text => out::answer(done.file),
    }
    Ok(0)
}

#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    command: &'static str,
    #[serde(flatten)]
    backup: BackupFinished,
}

async fn verify(file: &Path, format: Format, signals: &Signals) -> Result<u8, Failure> {
    let began = Instant::now();
    let stop = async {
        signals.more_than(Asked::default()).await;
    };
    let summary = dumper::verify_until(file, stop).await.map_err(|e| {
        if e.is_interrupted() {
            signals.asked().failure()
        } else if e.is_unopened() {
            Failure::new(Class::Usage, e.to_string())
                .hint("name a file that `django-migrate backup list` shows")
        } else {
            Failure::new(Class::BackupUnverified, e.to_string())
                .hint("do not rely on this file; take a new backup")
        }
    })?;
    let done = BackupFinished {
        file: file.display().to_string(),
        format: "plain".to_owned(),
        bytes: summary.bytes,
        sha256: summary.sha256.clone(),
        tables: summary.tables.len() as u64,
        rows: summary.rows,
        verified: "trailer".to_owned(),
        pg_dump: summary
            .manifest
            .as_ref()
            .map(|m| m.pg_dump_version.to_string())
            .unwrap_or_default(),
        seconds: began.elapsed().as_secs_f64(),
        ..BackupFinished::default()
    };
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "backup",
            backup: done,
        }),
        Format::Text => out::answer(format!(
            "{} is whole: {}, {}, {}, gzip and end marker checked in {}\nsha256 {}",
            done.file,
            bytes(done.bytes),
            count(done.tables, "table"),
            count(done.rows, "row"),
            seconds(done.seconds),
            done.sha256
        )),
    }
    Ok(0)
}

#[derive(Debug, Serialize)]
struct ListDocument {
    schema_version: u32,
    command: &'static str,
    backups: Vec<ListRow>,
}

#[derive(Debug, Serialize)]
struct ListRow {
    file: String,
    bytes: u64,
    database: Option<String>,
    created_at: Option<String>,
    rows: Option<u64>,
}

fn list(directory: &Path, format: Format) -> Result<u8, Failure> {
    let listed = dumper::list(directory).map_err(|e| {
        Failure::new(
            Class::Usage,
            format!("{} cannot be listed: {e}", directory.display()),
        )
    })?;
    let rows: Vec<ListRow> = listed
        .iter()
        .map(|entry| {
            let manifest = entry.manifest.as_ref();
            ListRow {
                file: entry.path.display().to_string(),
                bytes: entry.bytes,
                database: manifest.map(|m| m.database.clone()),
                created_at: manifest.map(|m| m.created_at.clone()),
                rows: manifest.map(|m| m.rows),
            }
        })
        .collect();
    match format {
        Format::Json => out::document(&ListDocument {
            schema_version: 1,
            command: "backup",
            backups: rows,
        }),
        Format::Text if rows.is_empty() => {
            out::answer(format!("no backups in {}", directory.display()));
        }
        Format::Text => {
            for row in &rows {
                let at = row
                    .created_at
                    .as_deref()
                    .and_then(|t| t.get(..16))
                    .unwrap_or("no manifest")
                    .replace('T', " ");
                let rows = row.rows.map(|n| count(n, "row")).unwrap_or_default();
                out::answer(format!(
                    "{at}  {:>9}  {rows:>16}  {}",
                    bytes(row.bytes),
                    row.file
                ));
            }
        }
    }
    Ok(0)
}
