//! What `lint` takes.

use std::path::PathBuf;

use clap::Args;

use super::{FindingArgs, FindingFormat};

#[derive(Debug, Args)]
#[command(mut_arg("fail_on", |fail_on| fail_on.help(
    "End with 12 at findings of this severity or worse: note, ask, stop, never [default: stop]"
)))]
pub(crate) struct LintArgs {
    /// Files of SQL, each read as one script; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The database that the SQL is for: what is said rests on its catalog then [default: on the text alone]
    #[arg(long, value_name = "DSN")]
    pub(crate) dsn: Option<String>,
    #[command(flatten)]
    pub(crate) findings: FindingArgs,
    /// The name that stdin has in what is said of it
    #[arg(long, value_name = "PATH")]
    pub(crate) stdin_filepath: Option<PathBuf>,
    /// Each script runs in one transaction, as an atomic migration does [default: only what stands between BEGIN and COMMIT]
    #[arg(long)]
    pub(crate) in_transaction: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: FindingFormat,
}
