//! `cargo xtask ci`: what a change must pass.

use anyhow::{Context as _, Result};
use xtask::process::{self, cargo};

use super::{codegen, test};

/// Check formatting, lints and generated documents, then run the tests
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Stop before the tests
    #[arg(long)]
    skip_tests: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    step("fmt");
    process::show(cargo().args(["fmt", "--all", "--check"])).context("hint: cargo fmt --all")?;
    step("clippy");
    process::show(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "--deny",
        "warnings",
    ]))?;
    step("codegen --check");
    codegen::check()?;
    if args.skip_tests {
        return Ok(());
    }
    step("test");
    test::run(&test::Args::default())
}

fn step(name: &str) {
    println!("== {name}");
}
