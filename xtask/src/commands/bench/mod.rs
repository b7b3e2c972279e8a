//! `cargo xtask bench`: the figures that the README promises, measured on this machine against what people do today.
//!
//! Everything measured is the release binary and the project's own `manage.py`, in turn, in one run. A promise that does
//! not hold fails the command. Absent here: micro-benchmarks, and any comparison with a figure of yesterday.

mod bulk;
mod check;
mod dump;
mod lint;
mod linters;
mod locks;
mod machine;
mod measure;
mod preview;
mod restore;
mod site;
mod start;

use std::path::PathBuf;

use anyhow::{Result, bail};
use xtask::{process, workspace};

/// Measure what the README promises, and fail where it does not hold
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Preview(preview::Args),
    Check(check::Args),
    Start(start::Args),
    Lint(lint::Args),
    Linters(linters::Args),
    Locks(locks::Args),
    Dump(dump::Args),
    Restore(restore::Args),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Preview(args) => preview::run(args),
        What::Check(args) => check::run(args),
        What::Start(args) => start::run(args),
        What::Lint(args) => lint::run(args),
        What::Linters(args) => linters::run(args),
        What::Locks(args) => locks::run(args),
        What::Dump(args) => dump::run(args),
        What::Restore(args) => restore::run(args),
    }
}

/// What is measured.
#[derive(Debug, clap::Args)]
struct Program {
    /// Measure this binary: the one out of the release's archive, say [default: a release build of this tree]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Program {
    fn get(&self) -> Result<PathBuf> {
        if let Some(program) = &self.program {
            return Ok(fs_err::canonicalize(program)?);
        }
        process::show(process::cargo().args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "django-migrate",
        ]))?;
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        Ok(target.join("release").join("django-migrate"))
    }
}

/// A promise with what was measured.
struct Promise {
    text: String,
    holds: bool,
}

impl Promise {
    fn at_least(what: &str, found: f64, wanted: f64) -> Self {
        Self {
            text: format!("{what}: {found:.1}, promised at least {wanted:.0}"),
            holds: found >= wanted,
        }
    }

    fn at_most(what: &str, found: f64, wanted: f64) -> Self {
        Self {
            text: format!("{what}: {found:.2}, promised at most {wanted}"),
            holds: found <= wanted,
        }
    }

    fn that(what: &str, holds: bool) -> Self {
        Self {
            text: what.to_owned(),
            holds,
        }
    }
}

/// Prints each, and fails where one is broken.
fn settle(promises: &[Promise]) -> Result<()> {
    println!();
    for Promise { text, holds } in promises {
        println!("{} {text}", if *holds { "holds " } else { "BROKEN" });
    }
    match promises.iter().filter(|promise| !promise.holds).count() {
        0 => Ok(()),
        broken => bail!("{broken} of {} promises do not hold here", promises.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_just_met_holds_and_a_broken_one_fails_the_command() {
        let met = [
            Promise::at_least("×", 45.0, 45.0),
            Promise::at_most("×", 1.4, 1.4),
        ];
        assert!(settle(&met).is_ok());
        let broken = [
            Promise::at_least("×", 44.9, 45.0),
            Promise::at_most("×", 1.3, 1.4),
        ];
        let why = settle(&broken).unwrap_err().to_string();
        assert_eq!(why, "1 of 2 promises do not hold here");
    }
}
