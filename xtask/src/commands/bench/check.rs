//! `bench check`: the whole of `django-migrate check` against Django's own.
//!
//! Ours reads the graph, the history and the database besides.

use anyhow::{Result, ensure};

use super::measure::{Cost, measure, median};
use super::site::Site;
use super::{Program, Promise, machine, settle};

/// `django-migrate check` against `manage.py check --database default`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// How many migrations are pending
    #[arg(long, default_value_t = 10)]
    pending: usize,
    /// Runs of each; the medians count
    #[arg(long, default_value_t = 15)]
    runs: usize,
}

const PROMISED: f64 = 1.4;

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    let program = args.program.get()?;
    let machine = machine::facts();
    let site = Site::new(&[args.pending])?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let mut command = site.with_pending(&site.python(), args.pending)?;
        theirs.push(cost(command.args([
            "manage.py",
            "check",
            "--database",
            "default",
        ]))?);
        ours.push(cost(
            site.with_pending(&program, args.pending)?.arg("check"),
        )?);
    }
    let (theirs, ours) = (median(&theirs), median(&ours));
    let (cpu, wall) = (ours.cpu / theirs.cpu, ours.wall / theirs.wall);
    println!("| | CPU s | wall s |\n|---|---:|---:|");
    println!("{}", row("`manage.py check --database default`", theirs));
    println!("{}", row("`django-migrate check`", ours));
    println!("| times | {cpu:.2} | {wall:.2} |");
    println!(
        "\nThe same site, {} of {} migrations pending; medians of {} runs in turn.\n{}; {machine}",
        args.pending, site.migrations, args.runs, site.versions
    );
    settle(&[
        Promise::at_most("CPU of check, times Django's own", cpu, PROMISED),
        Promise::at_most("wall time of check, times Django's own", wall, PROMISED),
    ])
}

fn cost(command: &mut std::process::Command) -> Result<Cost> {
    let (cost, output) = measure(command)?;
    ensure!(
        output.status.success(),
        "{} ended with {}\n{}",
        command.get_program().display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(cost)
}

fn row(name: &str, cost: Cost) -> String {
    format!("| {name} | {:.2} | {:.2} |", cost.cpu, cost.wall)
}
