//! What `locks` takes.

use clap::Args;

use super::{DjangoArgs, FindingArgs, Format};

#[derive(Debug, Args)]
#[command(mut_arg("dsn", |dsn| dsn.help(
    "The database itself; no Python starts [default: DATABASE_URL, else PG*, else the project's settings]"
)))]
#[command(mut_arg("fail_on", |fail_on| fail_on.help(
    "End with 12 at findings of this severity or worse: note, ask, stop, never [default: never]"
)))]
pub(crate) struct LocksArgs {
    /// A live screen: tree, sort, filter, pause; cancels or terminates only after a typed confirmation
    #[arg(long, conflicts_with_all = ["readiness", "mode", "format", "fail_on"])]
    pub(crate) watch: bool,
    /// How often the live screen looks [default: 1s]
    #[arg(long, value_name = "TIME", requires = "watch")]
    pub(crate) interval: Option<String>,
    /// Only what concerns this table: who has which lock on it, who waits for it
    #[arg(long, value_name = "[SCHEMA.]TABLE")]
    pub(crate) relation: Option<String>,
    /// Could DDL lock these tables now? Without names: what the project's pending migrations lock. Tables that their
    /// foreign keys refer to are looked at, too. The verdict is the last line, and `readiness.ready` in JSON; the exit
    /// code is 0 either way unless --fail-on ask is said, with which not ready ends with 12
    #[arg(long, value_name = "[SCHEMA.]TABLE", num_args = 0.., conflicts_with = "relation")]
    pub(crate) readiness: Option<Vec<String>>,
    /// The lock that the DDL would take, in SQL's words: `SHARE`, `share row exclusive` [default: ACCESS EXCLUSIVE]
    #[arg(long, value_name = "MODE", requires = "readiness")]
    pub(crate) mode: Option<String>,
    /// Sessions of all databases of the server [default: this one's, and who they wait for]
    #[arg(long)]
    pub(crate) all_databases: bool,
    /// Show queries as they are: whole in JSON, with the strings and numbers in them [default: each literal is a ?]
    #[arg(long)]
    pub(crate) show_literals: bool,
    #[command(flatten)]
    pub(crate) django: DjangoArgs,
    #[command(flatten)]
    pub(crate) findings: FindingArgs,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
