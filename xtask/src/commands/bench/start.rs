//! `bench start`: how fast the program is there, and how big.

use std::process::Command;

use anyhow::{Result, ensure};

use super::measure::{measure, median};
use super::{Program, Promise, machine, settle};

/// Wall time of `django-migrate --version`, and the size of the release binary
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// Runs; the median counts
    #[arg(long, default_value_t = 20)]
    runs: usize,
}

#[expect(clippy::cast_precision_loss, reason = "a file of some megabytes")]
pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    let (machine, program) = (machine::facts(), args.program.get()?);
    let megabytes = fs_err::metadata(&program)?.len() as f64 / 1e6;
    let mut costs = Vec::new();
    for _ in 0..args.runs {
        let (cost, output) = measure(Command::new(&program).arg("--version"))?;
        ensure!(
            output.status.success(),
            "--version ended with {}",
            output.status
        );
        costs.push(cost);
    }
    let milliseconds = median(&costs).wall * 1e3;
    println!(
        "| `django-migrate --version`, median of {} | release binary |\n|---:|---:|",
        args.runs
    );
    println!("| {milliseconds:.1} ms | {megabytes:.1} MB |\n\n{machine}");
    settle(&[
        Promise::at_most("milliseconds until --version is said", milliseconds, 10.0),
        Promise::at_most("megabytes of the release binary", megabytes, 15.0),
    ])
}
