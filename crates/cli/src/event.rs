//! The one closed enum by which the world hears what happens, and the line that carries it.
//!
//! `run --format json` prints these lines and the journal keeps them, so names and fields are a promise (cli.md).
//! The report is a fold over them. Absent here: any rendering, and any clock but the one that stamps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::exit::Changed;
use crate::plan::Direction;
use crate::rollback::Compared;
use crate::shell::quoted;

/// The version of [`Line`].
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// One event, stamped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) schema_version: u32,
    /// RFC 3339, UTC.
    pub(crate) at: String,
    pub(crate) elapsed_ms: u64,
    #[serde(flatten)]
    pub(crate) kind: EventKind,
}

/// The steps of `run`, in their order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Step {
    Pending,
    Backup,
    Preview,
    Apply,
    Verify,
    Tests,
    Report,
}

impl Step {
    /// In their order. On the way back no tests run: those on disk belong to the code that stays.
    fn all(course: Course) -> &'static [Self] {
        use Step::{Apply, Backup, Pending, Preview, Report, Tests, Verify};
        match course {
            Course::Forward => &[Pending, Backup, Preview, Apply, Verify, Tests, Report],
            Course::Back => &[Pending, Backup, Preview, Apply, Verify, Report],
            Course::Restore => &[Pending, Backup, Apply, Verify, Report],
        }
    }

    /// How many there are.
    pub(crate) fn count(course: Course) -> usize {
        Self::all(course).len()
    }

    /// From 1.
    pub(crate) fn number(self, course: Course) -> usize {
        let at = Self::all(course).iter().position(|step| *step == self);
        at.map_or(Self::count(course), |at| at + 1)
    }

    pub(crate) fn title(self, course: Course) -> &'static str {
        match (self, course) {
            (Self::Pending, Course::Forward) => "Pending migrations",
            (Self::Pending, Course::Back) => "Way back",
            (Self::Pending, Course::Restore) => "Database",
            (Self::Backup, Course::Restore) => "Backup of the run",
            (Self::Backup, _) => "Backup",
            (Self::Preview, _) => "SQL preview",
            (Self::Apply, Course::Forward) => "Apply",
            (Self::Apply, Course::Back) => "Roll back",
            (Self::Apply, Course::Restore) => "Restore beside the live database",
            (Self::Verify, Course::Restore) => "Compare",
            (Self::Verify, _) => "Verify",
            (Self::Tests, _) => "Tests",
            (Self::Report, _) => "Report",
        }
    }
}

/// What can happen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum EventKind {
    RunStarted(RunStarted),
    StepStarted {
        step: Step,
    },
    StepFinished {
        step: Step,
        ok: bool,
        seconds: f64,
    },
    /// Something is under way that may take a while; never journalled.
    Working {
        what: String,
    },
    ProjectInspected(ProjectInspected),
    Planned(Planned),
    LockTaken {
        holder: String,
    },
    BackupStarted(BackupStarted),
    /// What the archive is thought to need, and what is free where it goes.
    BackupRoom {
        needed_bytes: u64,
        free_bytes: u64,
    },
    /// Never journalled.
    BackupProgress(BackupProgress),
    BackupFinished(BackupFinished),
    BackupSkipped {
        why: String,
    },
    RestoreStarted(RestoreStarted),
    /// Never journalled.
    RestoreProgress(RestoreProgress),
    /// A statement of the dump failed, and is passed over.
    RestoreErred(RestoreErred),
    RestoreFinished(RestoreFinished),
    /// A restored database beside the live one.
    Compared(Compared),
    /// The restored one has the live one's name.
    Swapped(Swapped),
    PreviewFinished(PreviewFinished),
    /// A question and its answer: typed, or given by a flag.
    Answered {
        question: String,
        answer: String,
        by: String,
    },
    MigrationStarted {
        app: String,
        name: String,
        atomic: bool,
        /// It is taken back.
        #[serde(default, skip_serializing_if = "is_false")]
        backward: bool,
    },
    StatementStarted {
        number: u64,
        app: Option<String>,
        name: Option<String>,
        sql: String,
    },
    StatementFinished {
        number: u64,
        seconds: f64,
    },
    /// Not run: what it would make is there, from a run that was cut off.
    StatementSkipped {
        number: u64,
        sql: String,
        proof: String,
    },
    /// What the server says of a long statement; never journalled.
    StatementProgress {
        command: String,
        phase: String,
        done: Option<u64>,
        total: Option<u64>,
    },
    MigrationApplied {
        app: String,
        name: String,
        seconds: f64,
    },
    /// Taken back, and not recorded any more.
    MigrationUnapplied {
        app: String,
        name: String,
        seconds: f64,
    },
    MigrationFailed(MigrationFailed),
    LockWaiting(LockWaiting),
    /// Sessions stand behind us.
    Blocking {
        waiting: u64,
        longest_ms: u64,
    },
    /// What failed was rolled back whole and runs again.
    Retrying(Retrying),
    /// `--on-blocker`: what was done to a session that holds the lock.
    BlockerSignalled {
        pid: i32,
        what: String,
        /// `cancel`, `terminate`
        signal: String,
        /// What came of it.
        outcome: String,
    },
    /// A strong lock of a migration, once it is let go, or given up in its queue.
    LockHeld(LockHeld),
    Verified {
        checks: Vec<VerifyCheck>,
    },
    TestsStarted {
        command: String,
        /// Those that the tests will make and remove.
        databases: Vec<TestDatabase>,
    },
    /// Never journalled: the log in the run folder has it.
    TestOutput {
        line: String,
    },
    TestsFinished(TestsFinished),
    Note {
        level: NoteLevel,
        message: String,
    },
    RunFinished(RunFinished),
}

impl EventKind {
    /// Whether `run --format json` prints it: the closed list that scripts are promised (cli.md).
    pub(crate) fn promised(&self) -> bool {
        matches!(
            self,
            Self::RunStarted(_)
                | Self::StepStarted { .. }
                | Self::StepFinished { .. }
                | Self::BackupFinished(_)
                | Self::PreviewFinished(_)
                | Self::MigrationStarted { .. }
                | Self::MigrationApplied { .. }
                | Self::MigrationUnapplied { .. }
                | Self::RestoreFinished(_)
                | Self::Compared(_)
                | Self::Swapped(_)
                | Self::MigrationFailed(_)
                | Self::LockWaiting(_)
                | Self::TestsFinished(_)
                | Self::RunFinished(_)
        )
    }

    /// Whether it is but word of what goes on: what lasts is not over with it.
    pub(crate) fn lasts(&self) -> bool {
        matches!(
            self,
            Self::LockWaiting(_)
                | Self::Blocking { .. }
                | Self::StatementProgress { .. }
                | Self::BackupProgress(_)
                | Self::RestoreProgress(_)
        )
    }

    /// Whether the journal keeps it.
    pub(crate) fn journalled(&self) -> bool {
        !matches!(
            self,
            Self::Working { .. }
                | Self::BackupProgress(_)
                | Self::RestoreProgress(_)
                | Self::StatementProgress { .. }
                | Self::TestOutput { .. }
        )
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoteLevel {
    Note,
    Warning,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunStarted {
    pub(crate) run: String,
    pub(crate) tool_version: String,
    pub(crate) dry_run: bool,
    /// The run that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rolls_back: Option<String>,
    /// By its backup rather than by its migrations.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) restores: bool,
    pub(crate) backup_first: bool,
    pub(crate) app: Option<String>,
    pub(crate) migration: Option<String>,
    /// The alias.
    pub(crate) database: String,
    pub(crate) project: String,
    /// `--settings` and `--pythonpath` as they were given: the way back needs them too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pythonpath: Option<String>,
    pub(crate) host: String,
    pub(crate) pid: u32,
}

/// What a run is about: its steps have their names by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Forward,
    Back,
    Restore,
}

impl RunStarted {
    /// What another command needs to come to the same database.
    pub(crate) fn flags(&self) -> Vec<String> {
        let Self {
            settings,
            pythonpath,
            database,
            ..
        } = self;
        let settings = settings.iter().map(|module| format!("--settings={module}"));
        let path = pythonpath.iter().map(|path| format!("--pythonpath={path}"));
        let alias = (database != "default").then(|| format!("--database={database}"));
        settings.chain(path).chain(alias).collect()
    }

    /// `django-migrate rollback RUN` with these words behind it, as a person pastes it.
    pub(crate) fn rollback(&self, run: &str, more: &[&str]) -> String {
        let words = ["django-migrate", "rollback", run];
        let words = words.iter().chain(more).map(|word| quoted(word));
        let flags = self.flags();
        let words: Vec<String> = words.chain(flags.iter().map(|f| quoted(f))).collect();
        words.join(" ")
    }

    pub(crate) fn course(&self) -> Course {
        match (self.direction(), self.restores) {
            (Direction::Forward, _) => Course::Forward,
            (Direction::Back, false) => Course::Back,
            (Direction::Back, true) => Course::Restore,
        }
    }

    pub(crate) fn direction(&self) -> Direction {
        match self.rolls_back {
            None => Direction::Forward,
            Some(_) => Direction::Back,
        }
    }
}

/// Step 1's description of project and database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProjectInspected {
    pub(crate) python: String,
    pub(crate) django: String,
    pub(crate) driver: Option<String>,
    pub(crate) settings_module: Option<String>,
    /// How the project's Python is started, for the commands that the report prints.
    pub(crate) python_command: Vec<String>,
    /// `manage.py`, or `MODULE:FUNC`.
    pub(crate) entry: String,
    /// `shop@db1:5432/shop`
    pub(crate) target: String,
    pub(crate) database_name: String,
    /// How our own connections reach it; none in journals of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) database_host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) database_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) database_user: Option<String>,
    /// Which database it is, wherever it is reached: of the cluster where the role may ask for it, and its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) database_oid: Option<u32>,
    pub(crate) server_version: String,
    pub(crate) database_bytes: Option<u64>,
    pub(crate) check_warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) plan_fingerprint: String,
    pub(crate) migrations: Vec<PlannedMigration>,
    /// Where each app of the plan stands before the run: its last applied migration, or none.
    pub(crate) previous: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlannedMigration {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) atomic: bool,
    /// Of its file: whether a later run meets the same migration. None in journals of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    pub(crate) operations: Vec<String>,
    /// `describe()` of the operations without a way back.
    pub(crate) irreversible: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BackupStarted {
    pub(crate) folder: String,
    pub(crate) pg_dump: String,
    pub(crate) estimated_bytes: Option<u64>,
    /// `plain`, `custom`, `directory`; empty in journals of older versions.
    #[serde(default)]
    pub(crate) format: String,
    /// As they would be typed, but for the format and where it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
}

/// The parts of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackupPhase {
    #[default]
    Dumping,
    /// pg_dump is done, and rows are still counted on the server.
    Counting,
    /// What was written is read back: `bytes` of `estimated_bytes`.
    Reading,
}

/// How far a backup is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BackupProgress {
    pub(crate) phase: BackupPhase,
    pub(crate) table: Option<String>,
    pub(crate) tables: u64,
    pub(crate) tables_total: Option<u64>,
    pub(crate) rows: u64,
    /// What pg_dump gave.
    pub(crate) raw_bytes: u64,
    /// What was written.
    pub(crate) bytes: u64,
    pub(crate) estimated_bytes: Option<u64>,
    pub(crate) seconds: f64,
    pub(crate) seconds_left: Option<f64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BackupFinished {
    pub(crate) file: String,
    pub(crate) format: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) tables: u64,
    pub(crate) rows: u64,
    /// `trailer`, `counts`, `restored`
    pub(crate) verified: String,
    pub(crate) pg_dump: String,
    pub(crate) seconds: f64,
    /// `gzip:6`, `zstd:1`, `none`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compression: Option<String>,
    /// Size of the SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_bytes: Option<u64>,
    /// What the server said about the rows of the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counted: Option<Counted>,
    /// Definitions alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) schema_only: bool,
    /// Patterns of the tables that are in it, where not all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) only_tables: Vec<String>,
    /// Patterns of the tables whose rows are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) without_rows_of: Vec<String>,
}

/// How many tables have as many rows in a backup as the server said, and how much its word is worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Counted in the snapshot that was dumped.
    pub(crate) exact: u64,
    /// Too large to count: only its estimate.
    pub(crate) estimate: u64,
    pub(crate) unknown: u64,
    /// The largest of those that were not counted exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_exact: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RestoreStarted {
    pub(crate) file: String,
    /// The name that the database has in the end.
    pub(crate) database: String,
    /// `shop@db1:5432`
    pub(crate) server: String,
    /// `new`, `empty`, `replaced`
    pub(crate) target: String,
    /// As they would be typed.
    pub(crate) options: Vec<String>,
}

/// The parts of a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RestorePhase {
    /// The file is read before anything is done.
    #[default]
    Reading,
    Definitions,
    Rows,
    Indexes,
}

/// How far a restore is. Totals are those of the manifest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RestoreProgress {
    pub(crate) phase: RestorePhase,
    /// What is being loaded or built.
    pub(crate) at: Vec<String>,
    pub(crate) statements: u64,
    pub(crate) tables: u64,
    pub(crate) tables_total: Option<u64>,
    pub(crate) rows: u64,
    pub(crate) rows_total: Option<u64>,
    pub(crate) raw_bytes: u64,
    pub(crate) raw_total: Option<u64>,
    pub(crate) jobs: u64,
    pub(crate) jobs_total: u64,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) seconds_left: Option<f64>,
}

/// One database gave its name to another, and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swapped {
    /// The name that changed hands.
    pub(crate) database: String,
    /// What the one that has it now was called.
    pub(crate) by: String,
    pub(crate) kept_as: String,
    pub(crate) ended_sessions: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoreErred {
    pub(crate) line: u64,
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// Its beginning.
    pub(crate) statement: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RestoreFinished {
    pub(crate) database: String,
    pub(crate) statements: u64,
    pub(crate) rows: u64,
    pub(crate) errors: Vec<RestoreErred>,
    pub(crate) seconds: f64,
    pub(crate) tables: u64,
    /// What was left out.
    #[serde(default)]
    pub(crate) skipped: Vec<String>,
    /// What is not as the manifest has it.
    #[serde(default)]
    pub(crate) differences: Vec<String>,
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PreviewFinished {
    pub(crate) verdict: String,
    pub(crate) plan_fingerprint: String,
    pub(crate) statements: u64,
    pub(crate) migrations: Vec<PreviewedMigration>,
}

/// What the preview found, as the report needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PreviewedMigration {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) complete: bool,
    pub(crate) statements: u64,
    pub(crate) findings: Vec<FindingLine>,
    /// What the migration destroys: `table public.shop_old (about 12 rows)`.
    pub(crate) destroys: Vec<String>,
    /// What its reverse would destroy.
    pub(crate) reverse_destroys: Vec<String>,
    /// Of one that goes back: what of its way forward is not undone by that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_brought_back: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FindingLine {
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    /// It was waived: why, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waived: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MigrationFailed {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) sqlstate: Option<String>,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) constraint: Option<String>,
    pub(crate) statement: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LockWaiting {
    pub(crate) relation: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) waited_ms: u64,
    pub(crate) blockers: Vec<Blocker>,
    #[serde(default = "Place::before_it_was_told")]
    pub(crate) place: Place,
}

/// Where a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// At the gate, where nobody stands behind us.
    OutsideQueue,
    /// In the lock's queue, where others stand behind us.
    InQueue,
}

impl Place {
    fn before_it_was_told() -> Self {
        Self::InQueue
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Retrying {
    pub(crate) app: Option<String>,
    pub(crate) name: Option<String>,
    /// `migration`, or `statement` outside a transaction.
    pub(crate) what: String,
    /// The attempt that follows, from 2.
    pub(crate) attempt: u32,
    pub(crate) why: String,
    pub(crate) pause_ms: u64,
}

/// `acquired_ms` counts from the start of the run; none where it was not to be had. Waiters are others that stood behind us
/// for it, while we queued or held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockHeld {
    pub(crate) app: Option<String>,
    pub(crate) name: Option<String>,
    /// None: rows, which others wait for by the end of the transaction that changed them.
    pub(crate) relation: Option<String>,
    /// As `pg_locks` spells it; none where it is not known.
    pub(crate) mode: Option<String>,
    #[serde(default)]
    pub(crate) queued_ms: u64,
    pub(crate) acquired_ms: Option<u64>,
    pub(crate) held_ms: u64,
    pub(crate) waiters: u64,
    pub(crate) longest_wait_ms: u64,
    /// `committed`, `rolled_back`, `not_acquired`
    pub(crate) end: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blocker {
    pub(crate) pid: i32,
    /// Who and what, in one line.
    pub(crate) what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VerifyCheck {
    pub(crate) name: String,
    pub(crate) ok: bool,
    pub(crate) detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestDatabase {
    pub(crate) alias: String,
    /// `db1:5432`
    pub(crate) server: String,
    pub(crate) database: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TestsFinished {
    /// `passed`, `failed`, `none` (the project has none), `skipped`, `not_run`, `interrupted`
    pub(crate) outcome: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) seconds: f64,
    pub(crate) detail: String,
    pub(crate) log: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunFinished {
    pub(crate) exit_code: u8,
    pub(crate) changed: Changed,
    pub(crate) run: String,
    /// Path of report.md; none where no run folder could be made.
    pub(crate) report: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorLine>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ErrorLine {
    pub(crate) code: u8,
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<(String, String)>,
}
