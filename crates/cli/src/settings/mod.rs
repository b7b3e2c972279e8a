//! What is meant: flags, then `DJANGO_MIGRATE_*`, then `[tool.django-migrate]` in pyproject.toml, then defaults.
//!
//! Each `resolve` destructures its whole group of flags, so a flag that nobody reads does not compile.
//! Absent here: reading the environment or files (see [`layers`]) and any decision taken from a setting.

mod layers;
mod policy;
pub(crate) mod table;
mod values;

use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use dumper::{Compression, Format, Selection, Verified};

pub(crate) use layers::Layers;
pub(crate) use values::{EntryPoint, FailOn, OnBlocker, duration};

use crate::args;
use crate::exit::Class;
use crate::failure::Failure;
use crate::policy::Policy;

/// Whether the run stops before anything changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    DryRun,
    Apply,
}

/// Whether a backup is taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupFirst {
    Yes,
    No { acknowledged: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct DjangoSettings {
    pub(crate) root: PathBuf,
    pub(crate) database: String,
    pub(crate) settings: Option<String>,
    pub(crate) pythonpath: Option<String>,
    pub(crate) python: Option<String>,
    pub(crate) entry: Option<EntryPoint>,
    pub(crate) dsn: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct GuardSettings {
    /// The longest wait of one attempt in a lock's queue; zero is no limit.
    pub(crate) lock_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    /// All waits together.
    pub(crate) max_wait: Duration,
    pub(crate) retries: u32,
    pub(crate) max_blocked: u32,
    /// Zero is no limit.
    pub(crate) max_blocking: Duration,
    pub(crate) on_blocker: OnBlocker,
}

#[derive(Debug, Clone)]
pub(crate) struct BackupSettings {
    pub(crate) dir: PathBuf,
    pub(crate) format: Format,
    /// None: what suits the format.
    pub(crate) compress: Option<Compression>,
    pub(crate) jobs: NonZeroU8,
    pub(crate) verify: Verified,
    pub(crate) selection: Selection,
    pub(crate) pg_dump: Option<PathBuf>,
    /// Zero is no limit.
    pub(crate) lock_wait_timeout: Duration,
    pub(crate) keep: Keep,
}

/// Which backups stay when a new one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keep {
    pub(crate) last: Option<NonZeroU32>,
    pub(crate) days: Option<NonZeroU32>,
}

#[derive(Debug, Clone)]
pub(crate) struct TestSettings {
    pub(crate) command: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) skip: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ConsentSettings {
    pub(crate) yes: bool,
    pub(crate) confirm_destructive: Option<String>,
    pub(crate) plan: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) app: Option<String>,
    pub(crate) migration: Option<String>,
}

/// Everything that `run` needs.
#[derive(Debug, Clone)]
pub(crate) struct RunSettings {
    pub(crate) target: Target,
    pub(crate) mode: Mode,
    pub(crate) backup_first: BackupFirst,
    pub(crate) consent: ConsentSettings,
    pub(crate) django: DjangoSettings,
    pub(crate) guard: GuardSettings,
    pub(crate) backup: BackupSettings,
    pub(crate) tests: TestSettings,
    pub(crate) run_dir: PathBuf,
    pub(crate) policy: Policy,
}

pub(crate) fn run(args: args::RunArgs, layers: &mut Layers) -> Result<RunSettings, Failure> {
    let args::RunArgs {
        target,
        steps,
        consent,
        django,
        guard,
        backup,
        tests,
        run_dir,
        format: _,
    } = args;
    let args::StepArgs {
        dry_run,
        apply,
        backup_first,
        no_backup,
    } = steps;
    let args::ConsentArgs {
        yes,
        acknowledge_no_backup,
        confirm_destructive,
        plan,
    } = consent;
    let dry_run = contradiction(dry_run, apply, "--dry-run", "--apply")?;
    let backup_first = contradiction(backup_first, no_backup, "--backup-first", "--no-backup")?;
    let mode = if layers.pick("dry_run", dry_run.map(|b| b.to_string()), values::boolean)? {
        Mode::DryRun
    } else {
        Mode::Apply
    };
    let backup_first = if layers.pick(
        "backup_first",
        backup_first.map(|b| b.to_string()),
        values::boolean,
    )? {
        BackupFirst::Yes
    } else {
        BackupFirst::No {
            acknowledged: acknowledge_no_backup,
        }
    };
    if acknowledge_no_backup && backup_first == BackupFirst::Yes {
        return Err(Failure::new(
            Class::Usage,
            "--acknowledge-no-backup goes with --no-backup",
        )
        .hint("say --no-backup too, or leave both and take the backup"));
    }
    let target = target_of(target, layers)?;
    let backup = self::backup(backup, layers)?;
    whole(&backup.selection)?;
    Ok(RunSettings {
        target,
        mode,
        backup_first,
        consent: ConsentSettings {
            yes,
            confirm_destructive,
            plan,
        },
        guard: guard_of(guard, layers)?,
        backup,
        tests: tests_of(tests, layers)?,
        run_dir: self::run_dir(run_dir, layers)?,
        django: self::django(django, layers)?,
        policy: layers.policy().clone(),
    })
}

/// Everything that `rollback` needs.
#[derive(Debug, Clone)]
pub(crate) struct RollbackSettings {
    /// The run that goes back; none is the latest.
    pub(crate) of: Option<String>,
    /// By its backup; none is by its migrations.
    pub(crate) restore: Option<RestoreLeg>,
    pub(crate) run: RunSettings,
}

/// How the backup of a run is brought back.
#[derive(Debug, Clone)]
pub(crate) struct RestoreLeg {
    /// A database that was restored before.
    pub(crate) restored: Option<String>,
    pub(crate) swap: bool,
    pub(crate) confirm_database: Option<String>,
    pub(crate) terminate_sessions: bool,
    pub(crate) pg_restore: Option<PathBuf>,
}

/// Only a flag makes it go: a project that sets `dry_run = false` means `run`.
pub(crate) fn rollback(
    args: args::RollbackArgs,
    layers: &mut Layers,
) -> Result<RollbackSettings, Failure> {
    let args::RollbackArgs {
        run,
        steps,
        restoring,
        pg_restore,
        consent,
        django,
        guard,
        backup,
        run_dir,
        format: _,
    } = args;
    let args::RestoreLegArgs {
        restore,
        swap,
        restored,
        confirm_database,
        terminate_sessions,
    } = restoring;
    let pg_restore = self::pg_restore(pg_restore, layers)?;
    let restore = restore.then_some(RestoreLeg {
        pg_restore,
        restored,
        swap,
        confirm_database,
        terminate_sessions,
    });
    let args::BackArgs {
        dry_run,
        apply,
        backup_first,
        no_backup,
    } = steps;
    let dry_run = contradiction(dry_run, apply, "--dry-run", "--apply")?;
    let steps = args::StepArgs {
        dry_run: Some(dry_run.unwrap_or(true)),
        apply: false,
        backup_first,
        no_backup,
    };
    let run_args = args::RunArgs {
        target: args::TargetArgs::default(),
        steps,
        consent,
        django,
        guard,
        backup,
        tests: args::TestArgs::default(),
        run_dir,
        format: args::Format::Text,
    };
    let mut settings = self::run(run_args, layers)?;
    // `app_name` is about what to apply
    settings.target = Target {
        app: None,
        migration: None,
    };
    Ok(RollbackSettings {
        of: run,
        restore,
        run: settings,
    })
}

/// `--flag=BOOL` against its short form that means `false`; both at odds is a usage error.
fn contradiction(
    long: Option<bool>,
    short: bool,
    flag: &str,
    negation: &str,
) -> Result<Option<bool>, Failure> {
    match (long, short) {
        (Some(true), true) => Err(Failure::new(
            Class::Usage,
            format!("{flag} and {negation} contradict each other"),
        )
        .hint(format!("{negation} is {flag}=false; say one of them"))),
        (long, false) => Ok(long),
        (_, true) => Ok(Some(false)),
    }
}

pub(crate) fn target_of(args: args::TargetArgs, layers: &mut Layers) -> Result<Target, Failure> {
    let args::TargetArgs { app, migration } = args;
    // `run shop "$UNSET"` must not become the whole app
    if migration.as_deref().is_some_and(|m| m.trim().is_empty()) {
        return Err(Failure::new(Class::Usage, "MIGRATION is empty")
            .hint("leave it out, or name a migration; a prefix will do"));
    }
    if migration.as_deref() == Some("zero") {
        return Err(Failure::new(Class::BackwardsTarget, "`zero` would go backwards, which `run` never does")
            .hint("the reverse of a run is listed under Rollback in its report: django-migrate report latest"));
    }
    let app = layers.pick_optional("app_name", app, values::text)?;
    Ok(Target { app, migration })
}

pub(crate) fn django(
    args: args::DjangoArgs,
    layers: &mut Layers,
) -> Result<DjangoSettings, Failure> {
    let args::DjangoArgs {
        database,
        settings,
        pythonpath,
        python,
        entry,
        dsn,
    } = args;
    Ok(DjangoSettings {
        root: layers.root().to_path_buf(),
        database: layers.pick("database", database, values::text)?,
        settings: layers.pick_optional("settings", settings, values::text)?,
        pythonpath: layers.pick_optional("pythonpath", pythonpath, values::text)?,
        python: layers.pick_optional("python", python, values::text)?,
        entry: layers.pick_optional("entry", entry, values::entry)?,
        dsn: self::dsn(dsn, layers)?,
    })
}

/// `--dsn` alone, for what needs no Django.
pub(crate) fn dsn(flag: Option<String>, layers: &mut Layers) -> Result<Option<String>, Failure> {
    layers.pick_optional("dsn", flag, values::text)
}

fn guard_of(args: args::GuardArgs, layers: &mut Layers) -> Result<GuardSettings, Failure> {
    let args::GuardArgs {
        lock_timeout,
        max_wait,
        statement_timeout,
        retries,
        max_blocked,
        max_blocking,
        on_blocker,
    } = args;
    Ok(GuardSettings {
        max_wait: layers.pick("max_wait", max_wait, values::duration)?,
        retries: layers.pick("retries", retries, values::count)?,
        max_blocked: layers.pick("max_blocked", max_blocked, values::count)?,
        max_blocking: layers.pick("max_blocking", max_blocking, values::duration)?,
        on_blocker: layers.pick("on_blocker", on_blocker, values::on_blocker)?,
        lock_timeout: layers.pick("lock_timeout", lock_timeout, values::duration)?,
        statement_timeout: layers.pick("statement_timeout", statement_timeout, values::duration)?,
    })
}

pub(crate) fn backup(
    args: args::BackupArgs,
    layers: &mut Layers,
) -> Result<BackupSettings, Failure> {
    let args::BackupArgs {
        folder,
        backup_format,
        compress,
        jobs,
        verify,
        schema_only,
        tables,
        exclude_table_data,
        pg_dump,
        lock_wait_timeout,
        keep,
        keep_days,
    } = args;
    let format = layers.pick("backup_format", backup_format, values::backup_format)?;
    if jobs.is_some() && format != Format::Directory {
        let message = format!(
            "--jobs goes with --backup-format directory: pg_dump writes {} with one process",
            format.as_str()
        );
        return Err(Failure::new(Class::Usage, message)
            .hint("leave --jobs out, or choose the format directory"));
    }
    Ok(BackupSettings {
        dir: backup_dir(folder, layers)?,
        format,
        compress: layers.pick_optional("compress", compress, values::compress)?,
        jobs: self::jobs(jobs, layers)?,
        verify: layers.pick("verify", verify, values::verify)?,
        selection: selection(schema_only, &tables, &exclude_table_data, layers)?,
        pg_dump: layers.pick_optional("pg_dump", path_text(pg_dump), values::path)?,
        lock_wait_timeout: layers.pick("lock_wait_timeout", lock_wait_timeout, values::duration)?,
        keep: Keep {
            last: layers.pick_optional("keep", keep, values::keep)?,
            days: layers.pick_optional("keep_days", keep_days, values::keep)?,
        },
    })
}

pub(crate) fn backup_dir(
    args: args::BackupFolderArgs,
    layers: &mut Layers,
) -> Result<PathBuf, Failure> {
    let args::BackupFolderArgs { backup_dir } = args;
    layers.pick("backup_dir", path_text(backup_dir), values::path)
}

/// The default is no constant, so it is not in the table.
pub(crate) fn jobs(flag: Option<String>, layers: &mut Layers) -> Result<NonZeroU8, Failure> {
    const ENOUGH: usize = 4;
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get().min(ENOUGH));
    let found = layers.pick_optional("jobs", flag, values::jobs)?;
    let by_cores = || u8::try_from(cores()).ok().and_then(NonZeroU8::new);
    Ok(found.or_else(by_cores).unwrap_or(NonZeroU8::MIN))
}

/// `--verify` of a file that is there: what was chosen for new ones says nothing of it.
pub(crate) fn grade(flag: &str) -> Result<Verified, Failure> {
    values::verify(flag)
        .map_err(|why| Failure::new(Class::Settings, format!("--verify is \"{flag}\": {why}")))
}

pub(crate) fn pg_restore(
    args: args::PgRestoreArgs,
    layers: &mut Layers,
) -> Result<Option<PathBuf>, Failure> {
    let args::PgRestoreArgs { pg_restore } = args;
    layers.pick_optional("pg_restore", path_text(pg_restore), values::path)
}

fn selection(
    schema_only: bool,
    tables: &[String],
    exclude_table_data: &[String],
    layers: &mut Layers,
) -> Result<Selection, Failure> {
    let joined = |patterns: &[String]| (!patterns.is_empty()).then(|| patterns.join(","));
    let refused = |why| {
        Failure::new(
            Class::Usage,
            format!("--tables {}: {why}", tables.join(" ")),
        )
    };
    let selected = match joined(tables) {
        Some(text) => values::patterns(&text).map_err(refused)?,
        None => Vec::new(),
    };
    let excluded = layers.pick_optional(
        "exclude_table_data",
        joined(exclude_table_data),
        values::patterns,
    )?;
    Ok(Selection {
        schema_only,
        tables: selected,
        exclude_table_data: excluded.unwrap_or_default(),
    })
}

/// What a run may go back to: everything but the rows that somebody chose to lose.
fn whole(selection: &Selection) -> Result<(), Failure> {
    let (flag, what) = match selection {
        Selection {
            schema_only: true, ..
        } => ("--schema-only", "it would hold no row"),
        Selection { tables, .. } if !tables.is_empty() => {
            ("--tables", "it would hold these tables alone")
        }
        _ => return Ok(()),
    };
    let message = format!("{flag} makes no backup that a run could go back to: {what}");
    Err(Failure::new(Class::Usage, message).hint(format!(
        "leave {flag} out; `django-migrate backup {flag} …` takes such a backup beside"
    )))
}

fn tests_of(args: args::TestArgs, layers: &mut Layers) -> Result<TestSettings, Failure> {
    let args::TestArgs {
        test_command,
        test_timeout,
        skip_tests,
    } = args;
    Ok(TestSettings {
        command: layers.pick_optional("test_command", test_command, values::text)?,
        timeout: layers.pick("test_timeout", test_timeout, values::duration)?,
        skip: layers.pick(
            "skip_tests",
            skip_tests.then(|| "true".to_owned()),
            values::boolean,
        )?,
    })
}

pub(crate) fn run_dir(args: args::RunDirArgs, layers: &mut Layers) -> Result<PathBuf, Failure> {
    let args::RunDirArgs { run_dir } = args;
    layers.pick("run_dir", path_text(run_dir), values::path)
}

/// `--fail-on`; the default differs by command, so it is not in the table.
pub(crate) fn fail_on(
    args: args::FindingArgs,
    default: FailOn,
    layers: &mut Layers,
) -> Result<FailOn, Failure> {
    let args::FindingArgs { fail_on } = args;
    Ok(layers
        .pick_optional("fail_on", fail_on, values::fail_on)?
        .unwrap_or(default))
}

fn path_text(path: Option<PathBuf>) -> Option<String> {
    path.map(|p| p.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[track_caller]
    fn resolved(argv: &[&str], env: &[(&str, &str)], file: &str) -> Result<RunSettings, Failure> {
        let cli = Cli::try_parse_from(std::iter::once(&"django-migrate").chain(argv))
            .expect("argv parses");
        let Command::Run(args) = cli.command else {
            panic!("not run")
        };
        let mut layers = Layers::of(env, file).expect("layers");
        run(*args, &mut layers)
    }

    #[test]
    fn a_bare_run_is_a_dry_run_with_a_backup() {
        let s = resolved(&["run"], &[], "").unwrap();
        assert_eq!((s.mode, s.backup_first), (Mode::DryRun, BackupFirst::Yes));
    }

    #[test]
    fn dry_run_and_apply_at_odds_are_a_usage_error() {
        let f = resolved(&["run", "--dry-run", "--apply"], &[], "").unwrap_err();
        assert_eq!(f.code(), 2);
        assert!(f.message.contains("--dry-run and --apply"), "{}", f.message);
        assert_eq!(
            resolved(&["run", "--dry-run=false", "--apply"], &[], "")
                .unwrap()
                .mode,
            Mode::Apply
        );
    }

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let file = "[tool.django-migrate]\nlock_timeout = \"7s\"\nbackup_dir = \"from-file\"\n";
        let env = [("DJANGO_MIGRATE_LOCK_TIMEOUT", "5s")];
        let s = resolved(&["run", "--lock-timeout", "3s"], &env, file).unwrap();
        assert_eq!(s.guard.lock_timeout, Duration::from_secs(3));
        let s = resolved(&["run"], &env, file).unwrap();
        assert_eq!(s.guard.lock_timeout, Duration::from_secs(5));
        let s = resolved(&["run"], &[], file).unwrap();
        assert_eq!(s.guard.lock_timeout, Duration::from_secs(7));
        assert!(s.backup.dir.ends_with("from-file"));
    }

    #[test]
    fn a_bad_value_names_where_it_stands() {
        let f = resolved(&["run"], &[("DJANGO_MIGRATE_LOCK_TIMEOUT", "soon")], "").unwrap_err();
        assert_eq!(f.class, Class::Settings);
        assert!(
            f.message.contains("soon") && f.message.contains("DJANGO_MIGRATE_LOCK_TIMEOUT"),
            "{}",
            f.message
        );
    }

    #[test]
    fn a_number_below_nothing_is_a_value_and_no_flag() {
        for flags in [
            ["--max-wait", "-5s"],
            ["--retries", "-1"],
            ["--max-blocked", "-1"],
            ["--lock-timeout", "-1ms"],
        ] {
            let f = resolved(&["run", flags[0], flags[1]], &[], "").unwrap_err();
            assert_eq!(f.class, Class::Settings, "{}", f.message);
            assert!(f.message.contains(flags[1]), "{}", f.message);
        }
        let f = resolved(&["run", "--max-wait", "--apply"], &[], "").unwrap_err();
        assert!(f.message.contains("value is missing"), "{}", f.message);
    }

    #[test]
    fn a_target_behind_everything_is_refused() {
        assert_eq!(
            resolved(&["run", "shop", "zero"], &[], "")
                .unwrap_err()
                .code(),
            2
        );
    }

    #[test]
    fn a_run_relies_on_no_part_of_a_database() {
        for flags in [&["--schema-only"][..], &["--tables", "shop_*"]] {
            let argv = [&["run"], flags].concat();
            let f = resolved(&argv, &[], "").unwrap_err();
            assert_eq!(f.class, Class::Usage);
            assert!(f.message.contains(flags[0]), "{}", f.message);
        }
        let file = "[tool.django-migrate]\nexclude_table_data = [\"audit.*\", \"log\"]\n";
        let s = resolved(&["run"], &[], file).unwrap();
        assert_eq!(s.backup.selection.exclude_table_data, ["audit.*", "log"]);
        let flags = [
            "run",
            "--exclude-table-data",
            "a",
            "--exclude-table-data",
            "b",
        ];
        let s = resolved(&flags, &[], file).unwrap();
        assert_eq!(s.backup.selection.exclude_table_data, ["a", "b"]);
    }

    #[test]
    fn jobs_are_for_a_format_that_has_them() {
        let f = resolved(&["run", "--jobs", "2"], &[], "").unwrap_err();
        assert!(
            f.message.contains("--backup-format directory"),
            "{}",
            f.message
        );
        // what holds for all backups of a project does not keep one from another format
        let s = resolved(&["run"], &[("DJANGO_MIGRATE_JOBS", "2")], "").unwrap();
        assert_eq!(s.backup.jobs.get(), 2);
        let directory = ["run", "--backup-format", "directory", "--jobs", "3"];
        assert_eq!(resolved(&directory, &[], "").unwrap().backup.jobs.get(), 3);
    }
}
