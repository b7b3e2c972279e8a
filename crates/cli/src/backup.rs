//! Step 2: the backup, and the witness that there is one, or that its absence was acknowledged.
//!
//! `dumper` does the work; here are the request and what a failure is. `told` has the events, `kept` what becomes of
//! older ones. Absent here: restoring (see [`crate::restore`]).

mod kept;
mod proven;
mod told;

pub(crate) use proven::{Proving, refute, restored, unsaid};
pub(crate) use told::counted;

use std::path::{Path, PathBuf};

use dumper::{DumpError, DumpRequest, Password, PgDump, Verified, find_pg_dump};
use jiff::{Timestamp, Zoned};
use pgdriver::server::ServerFacts;

use crate::database::{self, Reach};
use crate::event::{BackupFinished, EventKind, NoteLevel};
use crate::exit::Class;
use crate::failure::Failure;
use crate::reporter::Reporter;
use crate::settings::{BackupFirst, BackupSettings};
use crate::signal::{Asked, Signals};
use crate::ui;

/// Proof that the way back was thought of.
#[derive(Debug)]
pub(crate) struct BackupReceipt {
    _private: (),
}

/// What a backup needs to know.
pub(crate) struct BackupPlan<'a> {
    pub(crate) settings: &'a BackupSettings,
    pub(crate) root: &'a Path,
    pub(crate) reach: &'a Reach,
    pub(crate) server: &'a ServerFacts,
    pub(crate) reporter: &'a Reporter,
    pub(crate) signals: &'a Signals,
}

/// Finds a pg_dump that can dump this server. Before anything else starts: an older one is refused at once.
pub(crate) fn pg_dump(settings: &BackupSettings, server: &ServerFacts) -> Result<PgDump, Failure> {
    database::can_dump(server)?;
    find_pg_dump(settings.pg_dump.as_deref(), server.version_num).map_err(|e| failure(&e))
}

/// Takes the backup of `run`, or notes that there is none because somebody said so.
pub(crate) async fn take_first(
    first: BackupFirst,
    pg_dump: Option<PgDump>,
    plan: &BackupPlan<'_>,
) -> Result<BackupReceipt, Failure> {
    match (first, pg_dump) {
        (BackupFirst::Yes, Some(pg_dump)) => {
            take(pg_dump, plan).await?;
        }
        (BackupFirst::Yes, None) => {
            return Err(Failure::new(Class::Bug, "pg_dump was not looked for"));
        }
        (BackupFirst::No { .. }, _) => {
            let why = "--no-backup was acknowledged".to_owned();
            plan.reporter.emit(EventKind::BackupSkipped { why });
        }
    }
    Ok(BackupReceipt { _private: () })
}

/// Dumps the database into a verified archive.
pub(crate) async fn take(
    pg_dump: PgDump,
    plan: &BackupPlan<'_>,
) -> Result<BackupFinished, Failure> {
    let request = request(pg_dump, plan);
    plan.reporter
        .emit(EventKind::BackupStarted(told::started(&request)));
    let stop = async {
        plan.signals.more_than(Asked::default()).await;
    };
    let mut heard = told::Heard::default();
    let hear = |progress| heard.hear(&progress, plan.reporter);
    let archive = dumper::dump(&request, hear, stop).await;
    let archive = archive.map_err(|e| {
        if e.is_interrupted() {
            plan.signals.asked().failure()
        } else {
            failure(&e)
        }
    })?;
    for message in archive.warnings.iter().filter(|it| !heard.told(it)) {
        plan.reporter.emit(EventKind::Note {
            level: NoteLevel::Warning,
            message: message.clone(),
        });
    }
    let mut finished = told::finished(&archive, &request.selection);
    if request.proof == Verified::Restored {
        let proving = Proving {
            archive: &archive.path,
            login: plan.reach.options(),
            pg_dump: Some(request.pg_dump.clone()),
            pg_restore: None,
            jobs: plan.settings.jobs,
            reporter: plan.reporter,
            signals: plan.signals,
        };
        proven::restored(&proving).await?;
        finished.verified = Verified::Restored.as_str().to_owned();
    }
    plan.reporter
        .emit(EventKind::BackupFinished(finished.clone()));
    kept::prune(plan, &request, &archive);
    Ok(finished)
}

fn request(pg_dump: PgDump, plan: &BackupPlan<'_>) -> DumpRequest {
    let options = plan.reach.options();
    let timeout = plan.settings.lock_wait_timeout;
    DumpRequest {
        pg_dump,
        environment: options.libpq_environment(),
        password: options.password().map(|p| Password::new(p.expose())),
        database: options.database().to_owned(),
        server_version_num: plan.server.version_num,
        system_identifier: plan.server.system_identifier.clone(),
        directory: directory(&plan.settings.dir, plan.root),
        timestamp: Zoned::now().strftime("%Y%m%d_%H%M%S").to_string(),
        created_at: format!("{:.3}", Timestamp::now()),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        connection: options.clone(),
        format: plan.settings.format,
        compression: plan.settings.compress,
        jobs: plan.settings.jobs,
        selection: plan.settings.selection.clone(),
        proof: plan.settings.verify,
        lock_wait_timeout: (!timeout.is_zero()).then_some(timeout),
        estimated_bytes: plan.server.database_bytes,
    }
}

/// `--backup-dir`, from the project's root.
pub(crate) fn directory(dir: &Path, root: &Path) -> PathBuf {
    if root == Path::new(".") {
        dir.to_owned()
    } else {
        root.join(dir)
    }
}

/// Which class a failed backup is. One `match` without `_`.
pub(crate) fn failure(error: &DumpError) -> Failure {
    use DumpError as D;
    let class = match error {
        D::PgDumpMissing { .. } => Class::PgDumpMissing,
        D::PgDumpTooOld { .. } => Class::PgDumpTooOld,
        D::Refused { .. } => Class::BackupRefused,
        D::LockTimeout { .. } => Class::BackupLockTimeout,
        D::OutOfDisk { .. } => Class::BackupOutOfDisk,
        D::Empty { .. } => Class::BackupEmpty,
        D::NoMatch { .. } | D::Unsupported { .. } => Class::Usage,
        D::ConnectionLost { .. } | D::SnapshotLost { .. } => Class::BackupConnectionLost,
        D::SchemaChanged { .. } | D::Failed { .. } | D::Start { .. } | D::File { .. } => {
            Class::BackupFailed
        }
        D::Unverified(_) => Class::BackupUnverified,
        D::Interrupted => Class::Interrupted,
    };
    let failure = Failure::new(class, message(error));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure.hint("nothing was changed; no backup, no migration"),
    }
}

/// Without what others run, which may hold anything.
fn message(error: &DumpError) -> String {
    let DumpError::LockTimeout {
        tables,
        waited,
        holders,
        said,
    } = error
    else {
        return error.to_string();
    };
    let what = match tables.as_slice() {
        [] => String::new(),
        tables => format!(" on {}", tables.join(", ")),
    };
    let mut message = format!(
        "pg_dump was not granted its lock{what} within {}: {said}",
        ui::seconds(waited.as_secs_f64())
    );
    for holder in holders {
        message.push_str(&format!("\n  held by {}", told::who(holder)));
    }
    message
}
