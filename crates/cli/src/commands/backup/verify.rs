//! `backup verify FILE`: whether it is whole, whether its rows are those that the server counted, whether it comes back.
//!
//! Absent here: taking another.

use std::path::{Path, PathBuf};
use std::time::Instant;

use dumper::prove::Proof;
use dumper::{Format as Kind, Manifest, Summary, Verified};
use pgdriver::ConnectOptions;
use serde::Serialize;

use crate::args::{DjangoArgs, Format, VerifyArgs};
use crate::backup::{Proving, counted, refute, restored, unsaid};
use crate::commands::Context;
use crate::commands::restore::Place;
use crate::database::{connect_failure, query_failure};
use crate::event::{BackupFinished, EventKind, NoteLevel, RestorePhase, RestoreProgress};
use crate::exit::Class;
use crate::failure::Failure;
use crate::report;
use crate::reporter::{Listener, Reporter};
use crate::settings::{self, Layers};
use crate::signal::Asked;
use crate::ui::{self, Terminal, bytes, count, out, seconds};

pub(super) async fn verify(
    args: VerifyArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let VerifyArgs {
        file,
        verify,
        pg_restore,
        django,
        format,
    } = args;
    let wanted = verify.map(|text| settings::grade(&text)).transpose()?;
    let pg_restore = settings::pg_restore(pg_restore, &mut layers)?;
    let began = Instant::now();
    let summary = read(&file, pg_restore.as_deref(), context).await?;
    if wanted == Some(Verified::Restored) {
        let proof = prove(&file, pg_restore, django, &mut layers, context).await?;
        tell(&summary, Verified::Restored, Some(&proof), began, format);
        return Ok(0);
    }
    let reached = by_manifest(summary.manifest.as_ref());
    let grade = match wanted {
        None => reached,
        Some(wanted) if wanted <= reached => wanted,
        Some(wanted) => return Err(not_proven(&file, wanted, summary.manifest.as_ref())),
    };
    tell(&summary, grade, None, began, format);
    Ok(0)
}

async fn read(
    file: &Path,
    pg_restore: Option<&Path>,
    context: &Context,
) -> Result<Summary, Failure> {
    let listener: Box<dyn Listener> = Box::new(Terminal::new(context.volume));
    let reporter = Reporter::new(vec![listener]);
    let size = std::fs::metadata(file)
        .ok()
        .filter(std::fs::Metadata::is_file);
    let far = |read| {
        reporter.emit(EventKind::RestoreProgress(RestoreProgress {
            phase: RestorePhase::Reading,
            raw_bytes: read,
            raw_total: size.as_ref().map(std::fs::Metadata::len),
            ..RestoreProgress::default()
        }));
    };
    let stop = async {
        context.signals.more_than(Asked::default()).await;
    };
    let summary = dumper::verify_until(file, pg_restore, far, stop).await;
    let unsaid = match &summary {
        Ok(_) => Manifest::mark_read(file).err().map(|e| unsaid(&e)),
        Err(e) => refute(file, e),
    };
    if let Some(message) = unsaid {
        let level = NoteLevel::Note;
        reporter.emit(EventKind::Note { level, message });
    }
    drop(reporter);
    summary.map_err(|e| {
        if e.is_interrupted() {
            context.signals.asked().failure()
        } else if e.is_unopened() {
            Failure::new(Class::Usage, e.to_string())
                .hint("name a file that `django-migrate backup list` shows")
        } else {
            Failure::new(Class::BackupUnverified, e.to_string())
                .hint("do not rely on this file; take a new backup")
        }
    })
}

/// Into a scratch database of the server that a restore would go to.
async fn prove(
    file: &Path,
    pg_restore: Option<PathBuf>,
    django: DjangoArgs,
    layers: &mut Layers,
    context: &Context,
) -> Result<Proof, Failure> {
    let jobs = settings::jobs(None, layers)?;
    let place = Place::find(django, layers, context).await?;
    let listener: Box<dyn Listener> = Box::new(Terminal::new(context.volume));
    let reporter = Reporter::new(vec![listener]);
    let version = context.signals.or_stop(version(&place.login)).await?;
    let proving = Proving {
        archive: file,
        login: &place.login,
        // without one the definitions are not compared, and that is said
        pg_dump: dumper::find_pg_dump(None, version).ok(),
        pg_restore,
        jobs,
        reporter: &reporter,
        signals: &context.signals,
    };
    restored(&proving).await
}

async fn version(login: &ConnectOptions) -> Result<u32, Failure> {
    let session = Box::pin(pgdriver::connect_observer(login))
        .await
        .map_err(|e| connect_failure(&e))?;
    let facts = pgdriver::server::facts(&session).await;
    session.close().await;
    Ok(facts.map_err(|e| query_failure(&e))?.version_num)
}

/// What reading the file proves, since its rows are those of the manifest.
fn by_manifest(manifest: Option<&Manifest>) -> Verified {
    match manifest {
        Some(manifest) => manifest.verified.min(Verified::Counts),
        None => Verified::Trailer,
    }
}

fn not_proven(file: &Path, wanted: Verified, manifest: Option<&Manifest>) -> Failure {
    let why = match manifest {
        None => "it has no manifest with what the server counted",
        Some(_) => "when it was taken, the server's rows were not counted",
    };
    let message = format!(
        "{} is whole, but `{}` cannot be proven of it: {why}",
        ui::path(file),
        wanted.as_str()
    );
    Failure::new(Class::BackupNotProven, message).hint(
        "--verify trailer asks for less; --verify restored restores it into a scratch database",
    )
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    #[serde(flatten)]
    backup: BackupFinished,
    /// Whether there is a manifest that it was compared with.
    manifest: bool,
    /// What was compared after it was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<Restored<'a>>,
}

#[derive(Debug, Serialize)]
struct Restored<'a> {
    tables: u64,
    rows: u64,
    /// Tables whose content was compared with that of the dumped snapshot.
    checksums: u64,
    definitions: Option<u64>,
    notes: &'a [String],
    seconds: f64,
}

impl<'a> From<&'a Proof> for Restored<'a> {
    fn from(proof: &'a Proof) -> Self {
        Self {
            tables: proof.tables,
            rows: proof.rows,
            checksums: proof.checksums,
            definitions: proof.definitions,
            notes: &proof.notes,
            seconds: proof.seconds,
        }
    }
}

fn tell(summary: &Summary, grade: Verified, proof: Option<&Proof>, began: Instant, format: Format) {
    let done = finished(summary, grade, began.elapsed().as_secs_f64());
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "backup",
            manifest: summary.manifest.is_some(),
            restored: proof.map(Restored::from),
            backup: done,
        }),
        Format::Text => {
            let against = match &summary.manifest {
                Some(_) => "size, checksum and the rows of each table are those of its manifest",
                None => "there is no manifest to compare it with",
            };
            out::answer(format!(
                "{} is whole: {}, {}, {}, read to its end in {}",
                done.file,
                bytes(done.bytes),
                count(done.tables, "table"),
                count(done.rows, "row"),
                seconds(done.seconds)
            ));
            out::answer(against);
            out::answer(format!("proof {}", report::proof(&done)));
            if let Some(proof) = proof {
                out::answer(compared(proof));
            }
            if let Some(left_out) = report::left_out(&done) {
                out::answer(left_out);
            }
            out::answer(format!("sha256 {}", done.sha256));
        }
    }
}

/// `compared: 12 tables, 3,456 rows, content of 12 tables, 87 definitions, in 3.2 s`
fn compared(proof: &Proof) -> String {
    let mut parts = vec![count(proof.tables, "table"), count(proof.rows, "row")];
    parts.push(format!(
        "the content of {}",
        count(proof.checksums, "table")
    ));
    parts.extend(proof.definitions.map(|n| count(n, "definition")));
    format!(
        "restored into a scratch database and compared: {}, in {}",
        parts.join(", "),
        seconds(proof.seconds)
    )
}

fn finished(summary: &Summary, grade: Verified, seconds: f64) -> BackupFinished {
    let manifest = summary.manifest.as_ref();
    let selection = manifest.map(|m| m.selection.clone()).unwrap_or_default();
    BackupFinished {
        file: ui::path(&summary.path),
        format: manifest
            .map_or(Kind::Plain, |m| m.format)
            .as_str()
            .to_owned(),
        bytes: summary.bytes,
        sha256: summary.sha256.clone(),
        tables: summary.tables.len() as u64,
        rows: summary.rows,
        verified: grade.as_str().to_owned(),
        pg_dump: manifest
            .map(|m| m.pg_dump_version.to_string())
            .unwrap_or_default(),
        seconds,
        compression: manifest.map(|m| m.compression.clone()),
        raw_bytes: Some(summary.raw_bytes),
        counted: manifest.map(|m| counted(&m.tables)),
        schema_only: selection.schema_only,
        only_tables: selection.tables,
        without_rows_of: selection.exclude_table_data,
    }
}
