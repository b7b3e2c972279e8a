//! `bench lint`: `django-migrate lint` against `squawk`, on the same SQL, in turn.
//!
//! Both read the whole file and write what they found as JSON into another. Ours writes every statement with its locks too,
//! so that it writes more.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::env::Env;

use super::measure::{Cost, measure, measure_into, median};
use super::{Program, Promise, machine, settle};

/// `django-migrate lint --format json` against `squawk --reporter json`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// How many ALTER TABLE
    #[arg(long, default_value_t = 70_000)]
    statements: usize,
    /// Runs of each; the medians count
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

const CPU: f64 = 3.0;
const TWICE: f64 = 2.2;
const SMALL_MS: f64 = 10.0;
const SMALL_RUNS: usize = 40;

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(
        args.runs > 0 && args.statements > 0,
        "--runs 0 and --statements 0 measure nothing"
    );
    let machine = machine::facts();
    let program = args.program.get()?;
    let squawk = Env::open()?.venv("squawk")?.bin().join("squawk");
    let folder = tempfile::tempdir()?;
    let script = |name: &str, statements: usize| -> Result<PathBuf> {
        let path = folder.path().join(name);
        fs_err::write(&path, alter_tables(statements))?;
        Ok(path)
    };
    let (file, twice) = (
        script("file.sql", args.statements)?,
        script("twice.sql", 2 * args.statements)?,
    );
    let small = script("small.sql", 12)?;
    let ours = |file: &Path| {
        let mut command = Command::new(&program);
        command.args(["lint", "--fail-on", "never", "--format", "json"]);
        command.arg(file).current_dir(folder.path());
        command
    };
    let theirs = || {
        let mut command = Command::new(&squawk);
        command.args(["--reporter", "json"]).arg(&file);
        command.current_dir(folder.path());
        command
    };
    let (mut of_ours, mut of_twice, mut of_theirs) = <(Side, Side, Side)>::default();
    for _ in 0..args.runs {
        of_theirs.take(theirs(), 1)?;
        of_ours.take(ours(&file), 0)?;
        of_twice.take(ours(&twice), 0)?;
    }
    let mut of_small = Side::default();
    for _ in 0..SMALL_RUNS {
        let (cost, output) = measure(&mut ours(&small))?;
        ensure!(output.status.success(), "lint ended with {}", output.status);
        of_small.costs.push(cost);
    }
    let megabytes = fs_err::metadata(&file)?.len() as f64 / 1e6;
    println!("| | statements | CPU s | wall s | RSS MB |\n|---|---:|---:|---:|---:|");
    for (name, statements, side) in [
        ("`squawk --reporter json`", args.statements, &of_theirs),
        (
            "`django-migrate lint --format json`",
            args.statements,
            &of_ours,
        ),
        ("the same, of twice as much", 2 * args.statements, &of_twice),
        ("the same, of a small file", 12, &of_small),
    ] {
        println!("{}", side.row(name, statements));
    }
    let version = xtask::process::stdout(Command::new(&squawk).arg("--version"))?;
    println!(
        "\nALTER TABLE as Django writes it, {megabytes:.1} MB; medians of {} runs in turn. {version}; {machine}",
        args.runs
    );
    settle(&promises(&of_ours, &of_twice, &of_theirs, &of_small)?)
}

/// What one command cost, run by run.
#[derive(Default)]
struct Side {
    costs: Vec<Cost>,
    peak: Option<u64>,
}

impl Side {
    fn take(&mut self, mut command: Command, expected: i32) -> Result<()> {
        let written = tempfile::NamedTempFile::new()?;
        let (cost, output, peak) = measure_into(&mut command, written.reopen()?)?;
        ensure!(
            output.status.code() == Some(expected) && written.as_file().metadata()?.len() > 0,
            "{} ended with {}\n{}",
            command.get_program().display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        self.costs.push(cost);
        self.peak = self.peak.max(peak);
        Ok(())
    }

    fn cost(&self) -> Cost {
        median(&self.costs)
    }

    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    fn megabytes(&self) -> Option<f64> {
        self.peak.map(|bytes| bytes as f64 / 1e6)
    }

    fn row(&self, name: &str, statements: usize) -> String {
        let Cost { wall, cpu } = self.cost();
        let memory = self
            .megabytes()
            .map_or_else(String::new, |megabytes| format!("{megabytes:.0}"));
        format!("| {name} | {statements} | {cpu:.3} | {wall:.3} | {memory} |")
    }
}

fn promises(ours: &Side, twice: &Side, theirs: &Side, small: &Side) -> Result<Vec<Promise>> {
    let memory = |side: &Side| {
        side.megabytes()
            .context("this system tells no process's memory")
    };
    Ok(vec![
        Promise::at_least(
            "times less CPU than squawk",
            theirs.cost().cpu / ours.cost().cpu,
            CPU,
        ),
        Promise::at_most(
            "memory, times squawk's",
            memory(ours)? / memory(theirs)?,
            1.0,
        ),
        Promise::at_most(
            "CPU of twice as much, times as much",
            twice.cost().cpu / ours.cost().cpu,
            TWICE,
        ),
        Promise::at_most(
            "milliseconds of a small file, start included",
            small.cost().wall * 1e3,
            SMALL_MS,
        ),
    ])
}

/// What Django's schema editor writes, table after table.
fn alter_tables(statements: usize) -> String {
    let mut sql = String::new();
    for at in 0..statements {
        let (table, column) = (format!("app_table{}", at % 500), format!("column{at}"));
        let action = match at % 6 {
            0 => format!("ADD COLUMN \"{column}\" integer NULL"),
            1 => format!("ADD COLUMN \"{column}\" varchar(100) DEFAULT '' NOT NULL"),
            2 => format!("ALTER COLUMN \"{column}\" TYPE bigint"),
            3 => format!("ALTER COLUMN \"{column}\" SET NOT NULL"),
            4 => format!("DROP COLUMN \"{column}\" CASCADE"),
            _ => format!("ADD CONSTRAINT \"{column}_check\" CHECK (\"{column}\" > 0)"),
        };
        sql.push_str(&format!("ALTER TABLE \"{table}\" {action};\n"));
    }
    sql
}
