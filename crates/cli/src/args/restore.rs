//! What `restore` takes.

use std::path::PathBuf;

use clap::Args;

use super::{DjangoArgs, Format, PgRestoreArgs};

#[derive(Debug, Args)]
#[command(mut_arg("dsn", |dsn| dsn.help(
    "The server and the login; no Python starts [default: the project's settings; without a project DATABASE_URL or PG*]"
)))]
pub(crate) struct RestoreArgs {
    /// A backup, or any dump of pg_dump's: .sql, .sql.gz, .sql.zst, custom, directory, tar
    pub(crate) file: PathBuf,
    /// The database that is to hold it: a new one, or an empty one
    #[arg(long, value_name = "DB")]
    pub(crate) into: String,
    #[command(flatten)]
    pub(crate) replacing: ReplacingArgs,
    #[command(flatten)]
    pub(crate) loading: LoadingArgs,
    #[command(flatten)]
    pub(crate) pg_restore: PgRestoreArgs,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A database that is not empty")]
pub(crate) struct ReplacingArgs {
    /// The database takes the place of the one of that name, which is dropped; its name must be typed
    #[arg(long)]
    pub(crate) clean: bool,
    /// Stands in for typing the name
    #[arg(long, value_name = "NAME", requires = "clean")]
    pub(crate) confirm_database: Option<String>,
    /// End the sessions on the old database; without it a database in use is not replaced
    #[arg(long, requires = "clean")]
    pub(crate) terminate_sessions: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How")]
pub(crate) struct LoadingArgs {
    /// Sessions that load rows and build indexes at once [default: the cores of this machine, at most 4]
    #[arg(
        long,
        value_name = "N",
        allow_hyphen_values = true,
        conflicts_with = "single_transaction"
    )]
    pub(crate) jobs: Option<String>,
    /// One session and one transaction: all or nothing
    #[arg(long, conflicts_with = "keep_going")]
    pub(crate) single_transaction: bool,
    /// Everything belongs to the role that restores
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave out GRANT and REVOKE
    #[arg(long)]
    pub(crate) no_privileges: bool,
    /// Go on after a statement that fails; errors still end with 70
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// No ANALYZE at the end
    #[arg(long)]
    pub(crate) no_analyze: bool,
    /// Keep a new database that did not come to its end, under a name that says so [default: it is dropped]
    #[arg(long)]
    pub(crate) keep_unfinished: bool,
}
