//! The table of settings: key, flag, environment variable, default, meaning. The reference is generated from it,
//! and a key of pyproject.toml that is not in it is refused.

/// One setting.
#[derive(Debug)]
pub(crate) struct Row {
    /// Key in `[tool.django-migrate]`; the environment variable is `DJANGO_MIGRATE_` + the key in capitals.
    pub(crate) key: &'static str,
    pub(crate) flag: &'static str,
    /// As it would be typed; none where there is no default.
    pub(crate) default: Option<&'static str>,
    pub(crate) meaning: &'static str,
}

const fn row(
    key: &'static str,
    flag: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Row {
    Row {
        key,
        flag,
        default,
        meaning,
    }
}

/// Every setting that has layers. Consent (`--yes`, phrases, `--plan`) has none: it is given for one run. `--schema-only`
/// and `--tables` have none: what they make is no backup that a run may rely on.
pub(crate) const TABLE: &[Row] = &[
    row(
        "app_name",
        "APP",
        None,
        "the app to migrate; all apps where none is named",
    ),
    row(
        "dry_run",
        "--dry-run, --apply",
        Some("true"),
        "stop before anything changes",
    ),
    row(
        "backup_first",
        "--backup-first, --no-backup",
        Some("true"),
        "take a backup before anything changes",
    ),
    row(
        "database",
        "--database",
        Some("default"),
        "the database alias of the project",
    ),
    row("settings", "--settings", None, "DJANGO_SETTINGS_MODULE"),
    row(
        "pythonpath",
        "--pythonpath",
        None,
        "a folder to put first on Python's path",
    ),
    row("python", "--python", None, "how to start Python"),
    row(
        "entry",
        "--entry",
        None,
        "MODULE:FUNC that starts Django where there is no manage.py",
    ),
    row(
        "dsn",
        "--dsn",
        None,
        "another way to the same database, for our own connections",
    ),
    row(
        "lock_timeout",
        "--lock-timeout",
        Some("2s"),
        "the longest that one attempt may wait in a lock's queue; 0: no limit",
    ),
    row(
        "max_wait",
        "--max-wait",
        Some("10m"),
        "the longest that the run may wait for locks, all waits together; 0: no limit",
    ),
    row(
        "statement_timeout",
        "--statement-timeout",
        Some("0"),
        "the longest that a statement may take; 0: no limit",
    ),
    row(
        "retries",
        "--retries",
        Some("5"),
        "how often a migration that was rolled back whole for want of a lock is tried again",
    ),
    row(
        "max_blocked",
        "--max-blocked",
        Some("20"),
        "more sessions queued behind a migration make it roll back",
    ),
    row(
        "max_blocking",
        "--max-blocking",
        Some("10s"),
        "a longer wait of a session behind a migration makes it roll back; 0: no limit",
    ),
    row(
        "on_blocker",
        "--on-blocker",
        Some("wait"),
        "what to do about sessions that hold the lock: wait, cancel, terminate",
    ),
    row(
        "backup_dir",
        "--backup-dir",
        Some("backups"),
        "where backups go",
    ),
    row(
        "backup_format",
        "--backup-format",
        Some("plain"),
        "what pg_dump writes: plain, custom, directory",
    ),
    row(
        "compress",
        "--compress",
        None,
        "gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none; without it gzip, and for custom and directory zstd \
         where pg_dump and server are of 16 or newer",
    ),
    row(
        "jobs",
        "--jobs",
        None,
        "sessions at once: of a backup in format directory, of a restore; without it the cores of this machine, at \
         most 4",
    ),
    row(
        "verify",
        "--verify",
        Some("counts"),
        "what is proven of a backup: trailer, counts, restored",
    ),
    row(
        "exclude_table_data",
        "--exclude-table-data",
        None,
        "tables whose rows are left out of backups: pg_dump's patterns, with commas between them",
    ),
    row("pg_dump", "--pg-dump", None, "which pg_dump"),
    row("pg_restore", "--pg-restore", None, "which pg_restore"),
    row(
        "lock_wait_timeout",
        "--lock-wait-timeout",
        Some("30s"),
        "the longest that pg_dump may wait for a lock; 0: no limit",
    ),
    row(
        "keep",
        "--keep",
        None,
        "after a backup: how many of this database stay",
    ),
    row(
        "keep_days",
        "--keep-days",
        None,
        "after a backup: those of this database that are older are removed, but never the last good one",
    ),
    row(
        "test_command",
        "--test-command",
        None,
        "the project's tests",
    ),
    row(
        "test_timeout",
        "--test-timeout",
        Some("30m"),
        "the longest that the tests may take",
    ),
    row(
        "skip_tests",
        "--skip-tests",
        Some("false"),
        "do not run the project's tests",
    ),
    row(
        "run_dir",
        "--run-dir",
        Some(".django-migrate/runs"),
        "where journals and reports go",
    ),
    row(
        "fail_on",
        "--fail-on",
        None,
        "end with 12 at findings of this severity: note, ask, stop, never",
    ),
];

/// The row of a key.
pub(crate) fn find(key: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.key == key)
}

/// `DJANGO_MIGRATE_LOCK_TIMEOUT` of `lock_timeout`.
pub(crate) fn variable(key: &str) -> String {
    format!("DJANGO_MIGRATE_{}", key.to_uppercase())
}
