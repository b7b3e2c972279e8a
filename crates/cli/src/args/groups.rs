//! Groups of flags that several commands share.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Default, Args)]
pub(crate) struct TargetArgs {
    /// Only this app, with what it depends on [default: all apps]
    pub(crate) app: Option<String>,
    /// Up to this migration; a prefix will do
    pub(crate) migration: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What to do")]
pub(crate) struct StepArgs {
    /// Show, back up and stop before anything changes [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) dry_run: Option<bool>,
    /// Apply the migrations: --dry-run=false
    #[arg(long)]
    pub(crate) apply: bool,
    /// Take a backup first [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) backup_first: Option<bool>,
    /// No backup: --backup-first=false; must be acknowledged
    #[arg(long)]
    pub(crate) no_backup: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What to do")]
pub(crate) struct BackArgs {
    /// Show the way back and stop [default: true; no setting changes that]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) dry_run: Option<bool>,
    /// Go back: --dry-run=false
    #[arg(long)]
    pub(crate) apply: bool,
    /// With --apply, take a backup first [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) backup_first: Option<bool>,
    /// No backup: --backup-first=false; must be acknowledged
    #[arg(long)]
    pub(crate) no_backup: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "By the backup of the run")]
pub(crate) struct RestoreLegArgs {
    /// Rather than by migrations: restore the run's backup into a database beside the live one, and compare the two
    #[arg(long)]
    pub(crate) restore: bool,
    /// Then put the restored database in the place of the live one, which is kept under another name; its name must be
    /// typed
    #[arg(long, requires = "restore")]
    pub(crate) swap: bool,
    /// A database that was restored before: it is compared, and swapped, without restoring it again
    #[arg(long, value_name = "DB", requires = "restore")]
    pub(crate) restored: Option<String>,
    /// Stands in for typing the name of the live database
    #[arg(long, value_name = "NAME", requires = "swap")]
    pub(crate) confirm_database: Option<String>,
    /// End the sessions on the live database; without it a database in use is not swapped
    #[arg(long, requires = "swap")]
    pub(crate) terminate_sessions: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Consent")]
pub(crate) struct ConsentArgs {
    /// Accept the parameters and every `ask` that is not destructive; never stands in for a phrase
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Acknowledge that there will be no backup to go back to
    #[arg(long)]
    pub(crate) acknowledge_no_backup: bool,
    /// DROP and the like need exactly "I understand"; without a terminal --plan too
    #[arg(long, value_name = "PHRASE")]
    pub(crate) confirm_destructive: Option<String>,
    /// The fingerprint that a dry run printed; any other plan stops
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) plan: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Project")]
pub(crate) struct DjangoArgs {
    /// The database alias [default: default]
    #[arg(long, value_name = "ALIAS")]
    pub(crate) database: Option<String>,
    /// DJANGO_SETTINGS_MODULE [default: as manage.py sets it]
    #[arg(long, value_name = "MODULE")]
    pub(crate) settings: Option<String>,
    /// A folder to put first on Python's path
    #[arg(long, value_name = "DIR")]
    pub(crate) pythonpath: Option<String>,
    /// How to start Python: `.venv/bin/python`, `uv run python`, `docker compose exec -T web python`
    /// [default: VIRTUAL_ENV, .venv, venv, uv, poetry, pipenv, PATH]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) python: Option<String>,
    /// The function that starts Django where there is no manage.py
    #[arg(long, value_name = "MODULE:FUNC")]
    pub(crate) entry: Option<String>,
    /// Another way to the same database: replaces host, port and TLS of our own connections
    #[arg(long, value_name = "DSN")]
    pub(crate) dsn: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Guard")]
pub(crate) struct GuardArgs {
    /// The longest that one attempt may wait in a lock's queue; 0 is no limit [default: 2s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) lock_timeout: Option<String>,
    /// The longest that the run may wait for locks, all waits together; then it ends with 53; 0 is no limit
    /// [default: 10m]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) max_wait: Option<String>,
    /// The longest that a statement may take; 0 is no limit [default: 0]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) statement_timeout: Option<String>,
    /// How often a migration that was rolled back whole for want of a lock is tried again [default: 5]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) retries: Option<String>,
    /// With more sessions than this queued behind it, a migration is rolled back [default: 20]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) max_blocked: Option<String>,
    /// A session that waits longer than this behind it makes a migration roll back; 0 is no limit [default: 10s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) max_blocking: Option<String>,
    /// What to do about sessions that hold the lock: wait, cancel their query, or cancel, then terminate [default: wait]
    #[arg(long, value_name = "wait|cancel|terminate")]
    pub(crate) on_blocker: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Backup")]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) folder: BackupFolderArgs,
    /// plain: SQL, readable by anything; custom and directory: for pg_restore, directory by several processes at once
    /// [default: plain]
    #[arg(long, value_name = "plain|custom|directory")]
    pub(crate) backup_format: Option<String>,
    /// gzip[:1-9], zstd[:1-19] or none [default: gzip; custom and directory: zstd where pg_dump and server are of 16 or
    /// newer]
    #[arg(long, value_name = "HOW")]
    pub(crate) compress: Option<String>,
    /// Tables that pg_dump reads at once; for --backup-format directory [default: the cores of this machine, at most 4]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) jobs: Option<String>,
    /// What is proven: trailer: whole and readable; counts: and each table has the rows that the server counted in the
    /// same snapshot; restored: and it was restored into a scratch database and compared [default: counts]
    #[arg(long, value_name = "trailer|counts|restored")]
    pub(crate) verify: Option<String>,
    /// Definitions without rows; no backup that a run may rely on
    #[arg(long)]
    pub(crate) schema_only: bool,
    /// Only these tables, by pg_dump's patterns; may be said more than once; no backup that a run may rely on
    #[arg(long, value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// The definition of these tables without their rows, by pg_dump's patterns; may be said more than once
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_table_data: Vec<String>,
    /// Which pg_dump [default: the newest found that can dump this server]
    #[arg(long, value_name = "PATH")]
    pub(crate) pg_dump: Option<PathBuf>,
    /// The longest that pg_dump may wait for a table's lock; 0 is no limit [default: 30s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) lock_wait_timeout: Option<String>,
    /// After a backup: keep the last N of this database, remove the older ones [default: all]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) keep: Option<String>,
    /// After a backup: remove those of this database that are older than N days; never the last good one [default: none]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) keep_days: Option<String>,
}

/// Where backups are.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Backup")]
pub(crate) struct BackupFolderArgs {
    /// Where backups go [default: ./backups]
    #[arg(long, value_name = "DIR")]
    pub(crate) backup_dir: Option<PathBuf>,
}

/// Which pg_restore.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Backup")]
pub(crate) struct PgRestoreArgs {
    /// Which pg_restore reads archives of pg_dump's other formats [default: the one beside the newest pg_dump]
    #[arg(long, value_name = "PATH")]
    pub(crate) pg_restore: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tests")]
pub(crate) struct TestArgs {
    /// The project's tests [default: found: pytest where it is configured, else manage.py test]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) test_command: Option<String>,
    /// The longest that the tests may take [default: 30m]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) test_timeout: Option<String>,
    /// Do not run the project's tests; the report says so
    #[arg(long)]
    pub(crate) skip_tests: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Run folders")]
pub(crate) struct RunDirArgs {
    /// Where journals and reports go [default: .django-migrate/runs]
    #[arg(long, value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Findings")]
pub(crate) struct FindingArgs {
    /// End with 12 at findings of this severity or worse: note, ask, stop, never
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<String>,
}
