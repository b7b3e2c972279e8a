//! What was typed. clap's types live here and nowhere else; [`crate::settings`] says what is meant.
//!
//! Every value is an `Option`: a default would hide that nothing was typed, and the layers below could not speak.

mod groups;
mod lint;
mod locks;
mod restore;
mod usage;

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use groups::{
    BackArgs, BackupArgs, BackupFolderArgs, ConsentArgs, DjangoArgs, FindingArgs, GuardArgs,
    PgRestoreArgs, RestoreLegArgs, RunDirArgs, StepArgs, TargetArgs, TestArgs,
};
pub(crate) use lint::LintArgs;
pub(crate) use locks::LocksArgs;
pub(crate) use restore::{LoadingArgs, ReplacingArgs, RestoreArgs};
pub(crate) use usage::{meant, words};

/// Take a Django project's migrations to a production PostgreSQL without fear.
///
/// Run it from the project's root, the folder of manage.py. `django-migrate run` is a dry run with a backup unless
/// told otherwise.
#[derive(Debug, Parser)]
#[command(
    name = "django-migrate",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GlobalArgs {
    /// The project's root: the folder of manage.py [default: the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Say less on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more: where settings come from, what the project prints
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// No colour; NO_COLOR and a stream that is no terminal say the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole workflow; a dry run with a backup unless told otherwise
    Run(Box<RunArgs>),
    /// Project, Django checks, connection, graph, history, the server's state, blockers, pg_dump; renders no SQL
    Check(Box<CheckArgs>),
    /// Applied, pending, missing, squashed, out of order
    Status(StatusArgs),
    /// SQL of every pending migration with locks and hazards
    Preview(PreviewArgs),
    /// The same assessment for SQL in files or on stdin; with --dsn it knows the database
    ///
    /// Nothing is run. BEGIN and COMMIT are read as what they are: what stands between them is one transaction.
    Lint(LintArgs),
    /// Who holds, who waits, who is the root; long transactions; readiness for DDL
    ///
    /// Needs no Django. Where it looks, the first that is said: --dsn; the project, where one of its flags is given;
    /// DATABASE_URL; libpq's PGHOST, PGHOSTADDR, PGDATABASE or PGSERVICE; the project in this folder; libpq's defaults.
    /// A dsn in the settings counts as another way to the project's database, without a project as --dsn.
    /// stderr says which it was. --readiness without names always asks the project.
    Locks(Box<LocksArgs>),
    /// Take a backup now, or look at those there are
    Backup(Box<BackupCommand>),
    /// Bring a backup back, natively: into a new or an empty database, never over another unless its name is typed
    ///
    /// Loaded, compared with its manifest and analyzed under a name of its own, the database takes its name at the very
    /// end. Where it connects to: --dsn; the settings of the project in this folder; without a project DATABASE_URL or
    /// libpq's PG*.
    Restore(Box<RestoreArgs>),
    /// The way back of a run: shown, and with --apply run
    Rollback(Box<RollbackArgs>),
    /// A finished or broken run, from its journal
    Report(ReportArgs),
    /// Shell completions on stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Manual pages: one on stdout, or all into a folder
    Man {
        /// Write a page for each command into this folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// The generated reference documents
    #[command(hide = true)]
    Reference {
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Of findings, for people and for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingFormat {
    Text,
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands, for GitHub's annotations
    Github,
    /// A test for each statement, for what shows tests
    Junit,
}

impl FindingFormat {
    /// How a failure is told: only JSON has a document for it.
    pub(crate) fn of_failure(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Text | Self::Sarif | Self::Github | Self::Junit => Format::Text,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Markdown,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[command(flatten)]
    pub(crate) backup: BackupArgs,
    #[command(flatten)]
    pub(crate) tests: TestArgs,
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,
    /// text, or json: one line for each event, the last of them run_finished
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Only this app's plan [default: all apps]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) backup: BackupArgs,
    #[command(flatten)]
    pub(crate) findings: FindingArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Only this app [default: all apps]
    pub(crate) app: Option<String>,
    /// From the database alone, named by --dsn, DATABASE_URL or PG*: what is recorded; no Python starts
    #[arg(long, conflicts_with_all = ["database", "settings", "pythonpath", "python", "entry"])]
    pub(crate) no_django: bool,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) findings: FindingArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: FindingFormat,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BackupCommand {
    #[command(subcommand)]
    pub(crate) action: Option<BackupAction>,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) backup: BackupArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupAction {
    /// Read a backup whole: its compression, checksums, pg_dump's end marker, and the rows of each table by its manifest
    Verify(Box<VerifyArgs>),
    /// The backups in the backup folder
    List {
        #[command(flatten)]
        folder: BackupFolderArgs,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("dsn", |dsn| dsn.help(
    "For restored: the server and the login; no Python starts [default: the project's settings; without a project DATABASE_URL or PG*]"
)))]
pub(crate) struct VerifyArgs {
    pub(crate) file: PathBuf,
    /// What is to be proven: trailer: whole and readable; counts: and its rows are those that the server counted when it
    /// was taken; restored: and it is restored into a scratch database and compared [default: counts, where its
    /// manifest has them]
    #[arg(long, value_name = "trailer|counts|restored")]
    pub(crate) verify: Option<String>,
    #[command(flatten)]
    pub(crate) pg_restore: PgRestoreArgs,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// A run id, a run folder, or `latest`, the newest that reached the database [default: latest]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) steps: BackArgs,
    #[command(flatten)]
    pub(crate) restoring: RestoreLegArgs,
    #[command(flatten)]
    pub(crate) pg_restore: PgRestoreArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[command(flatten)]
    pub(crate) backup: BackupArgs,
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,
    /// text, or json: one document; with --apply one line for each event, the last of them run_finished
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// A run id, a run folder, or `latest`
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ReportFormat,
}

impl RollbackArgs {
    /// It is not only shown.
    pub(crate) fn applies(&self) -> bool {
        self.steps.apply || self.steps.dry_run == Some(false)
    }
}

impl BackupCommand {
    /// Of the command or of its action.
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            None => self.format,
            Some(BackupAction::Verify(verify)) => verify.format,
            Some(BackupAction::List { format, .. }) => *format,
        }
    }
}

/// The command tree, for completions, manual pages and the reference.
pub(crate) fn tree() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_sound() {
        super::tree().debug_assert();
    }
}
