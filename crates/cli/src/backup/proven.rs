//! The grade `restored`: an archive goes into a scratch database, which is compared with it and dropped.
//!
//! `dumper` proves; here are the request, the events and what a failure is. Absent here: lesser grades.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};

use dumper::prove::{self, Proof, ProofError, ProofFailure, ProofProgress, ProofRequest};
use dumper::{Manifest, Password, PgDump, Refutation, Refuted, VerifyError};
use jiff::Zoned;
use pgdriver::ConnectOptions;

use crate::event::{BackupPhase, BackupProgress, EventKind, NoteLevel};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::reporter::Reporter;
use crate::restore::{Totals, tell};
use crate::signal::{Asked, Signals};
use crate::ui;

/// What a proof needs to know.
pub(crate) struct Proving<'a> {
    pub(crate) archive: &'a Path,
    pub(crate) login: &'a ConnectOptions,
    /// Writes the definitions of the scratch database; without one they are not compared.
    pub(crate) pg_dump: Option<PgDump>,
    pub(crate) pg_restore: Option<PathBuf>,
    pub(crate) jobs: NonZeroU8,
    pub(crate) reporter: &'a Reporter,
    pub(crate) signals: &'a Signals,
}

/// Proves it, notes what could not be compared, and writes the grade into the manifest.
pub(crate) async fn restored(proving: &Proving<'_>) -> Result<Proof, Failure> {
    let Proving {
        archive,
        reporter,
        signals,
        ..
    } = proving;
    let manifest = Manifest::of(archive).ok().flatten();
    let totals = Totals::of(manifest.as_ref());
    let stop = async {
        signals.more_than(Asked::default()).await;
    };
    let hear = |progress| told(&progress, &totals, reporter);
    let proof = Box::pin(prove::restored(&request(proving), hear, stop)).await;
    let note = |message: &String| {
        let level = NoteLevel::Note;
        let message = message.clone();
        reporter.emit(EventKind::Note { level, message });
    };
    let proof = proof.map_err(|error| {
        if let ProofFailure::Archive(damage) = error.failure()
            && let Some(message) = refute(archive, damage)
        {
            note(&message);
        }
        failure(&error, archive, signals)
    })?;
    proof.notes.iter().for_each(note);
    if !proof.holds() {
        let found = proof.differences.first();
        let refuted = Refuted {
            by: Refutation::Restored,
            why: format!(
                "restored, it was not what was dumped{}",
                found.map_or_else(String::new, |it| format!(": {it}"))
            ),
        };
        if let Err(e) = Manifest::mark_refuted(archive, &refuted) {
            note(&unsaid(&e));
        }
        return Err(differs(&proof, archive));
    }
    if let Err(e) = Manifest::mark_restored(archive) {
        note(&unsaid(&e));
    }
    Ok(proof)
}

/// Notes in the manifest that the file is damaged, so that nobody counts it as a backup; why that cannot be noted.
pub(crate) fn refute(archive: &Path, damage: &VerifyError) -> Option<String> {
    if !damage.is_damage() {
        return None;
    }
    let refuted = Refuted {
        by: Refutation::Read,
        why: damage.to_string(),
    };
    let noted = Manifest::mark_refuted(archive, &refuted);
    noted.err().map(|e| unsaid(&e))
}

/// Why a manifest does not say what was found.
pub(crate) fn unsaid(error: &std::io::Error) -> String {
    format!("its manifest does not say so, for it cannot be written: {error}")
}

fn request(proving: &Proving<'_>) -> ProofRequest {
    let login = proving.login;
    let stamp = Zoned::now().strftime("%Y%m%d_%H%M%S").to_string();
    ProofRequest {
        archive: proving.archive.to_owned(),
        connection: login.clone(),
        scratch: prove::scratch_name(login.database(), &stamp),
        sessions: proving.jobs,
        pg_dump: proving.pg_dump.clone(),
        environment: login.libpq_environment(),
        password: login.password().map(|p| Password::new(p.expose())),
        pg_restore: proving.pg_restore.clone(),
    }
}

fn told(progress: &ProofProgress, totals: &Totals, reporter: &Reporter) {
    let working = |what: String| EventKind::Working { what };
    reporter.emit(match progress {
        ProofProgress::Restoring(progress) => return tell(progress, totals, reporter),
        ProofProgress::Warning(message) => EventKind::Note {
            level: NoteLevel::Note,
            message: message.clone(),
        },
        ProofProgress::Rows { tables, total } => EventKind::BackupProgress(BackupProgress {
            phase: BackupPhase::Counting,
            tables: *tables,
            tables_total: Some(*total),
            ..BackupProgress::default()
        }),
        ProofProgress::Definitions => working("comparing the definitions".to_owned()),
        ProofProgress::Dropping { database } => working(format!("dropping {database}")),
    });
}

fn failure(error: &ProofError, archive: &Path, signals: &Signals) -> Failure {
    let changed = match error.left() {
        Some(_) => Changed::Yes,
        None => Changed::No,
    };
    if error.is_interrupted() {
        let mut failure = signals.asked().failure().changed(changed);
        if let Some(name) = error.left() {
            failure.message = format!(
                "{}; the scratch database \"{name}\" is still there",
                failure.message
            );
        }
        return failure;
    }
    let class = match error.failure() {
        ProofFailure::Archive(_) => Class::BackupUnverified,
        ProofFailure::Connect(connect) => gates::connect_class(connect.kind()),
        _ => Class::BackupNotProven,
    };
    let message = format!("{} is not proven: {error}", ui::path(archive));
    let failure = Failure::new(class, message).changed(changed);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure.hint("--verify counts asks for less, and needs no scratch database"),
    }
}

fn differs(proof: &Proof, archive: &Path) -> Failure {
    const LISTED: usize = 20;
    let mut lines: Vec<String> = proof
        .differences
        .iter()
        .take(LISTED)
        .map(|d| format!("\n  {d}"))
        .collect();
    if let Some(more) = proof
        .differences
        .len()
        .checked_sub(LISTED)
        .filter(|n| *n > 0)
    {
        lines.push(format!("\n  and {more} more"));
    }
    let message = format!(
        "{} was restored, and is not what was dumped{}",
        ui::path(archive),
        lines.concat()
    );
    Failure::new(Class::BackupUnverified, message)
        .hint("do not rely on this file; take a new backup")
}
