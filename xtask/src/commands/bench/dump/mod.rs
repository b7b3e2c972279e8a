//! `bench dump`: `django-migrate backup` against what people do with pg_dump, on the same data, in turn.
//!
//! The floor is pg_dump into nowhere. Ours does more than the others: it counts, hashes, flushes, reads back from the
//! disk; none of that is taken off its time. What is taken off is what it costs in a database without data, next to
//! pg_dump's own cost there: Python and Django, which start before. Both figures are printed.

mod way;

use anyhow::{Context as _, Result, ensure};

use self::way::{Taken, Way};
use super::bulk::{Bulk, Of};
use super::measure::{Cost, median};
use super::{Program, Promise, machine, settle};

/// `django-migrate backup` against pg_dump with gzip, pigz, and pg_dump's own format
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// About how many megabytes of plain SQL
    #[arg(long, default_value_t = 1000, value_name = "MB")]
    size: u32,
    /// Runs of each; the medians count
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The server's major version
    #[arg(long, default_value_t = 17, value_name = "MAJOR")]
    postgres: u32,
}

const FLOOR: f64 = 2.3;
const ZSTD_FLOOR: f64 = 1.3;
const MEMORY: f64 = 64.0;

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    ensure!(args.size > 0, "--size 0 is nothing to dump");
    let machine = machine::facts();
    let program = args.program.get()?;
    eprintln_making(args.size);
    let bulk = Bulk::new(program, args.postgres, args.size)?;
    let (ways, missing): (Vec<Way>, Vec<Way>) =
        Way::ALL.into_iter().partition(|way| way.is_there());
    let mut taken: Vec<Vec<Taken>> = ways.iter().map(|_| Vec::new()).collect();
    let (mut start, mut nothing) = (Vec::new(), Vec::new());
    way::warm(&bulk)?;
    for _ in 0..args.runs {
        for (way, taken) in ways.iter().zip(&mut taken) {
            taken.push(way.take(&bulk, Of::Data)?);
        }
        start.push(Way::Ours.take(&bulk, Of::Nothing)?.cost);
        nothing.push(Way::Floor.take(&bulk, Of::Nothing)?.cost);
    }
    let rows: Vec<Row> = ways
        .iter()
        .zip(taken)
        .map(|(way, taken)| Row::of(*way, &taken))
        .collect();
    let constant = (median(&start).wall - median(&nothing).wall).max(0.0);
    let floor = cost_of(&rows, Way::Floor)?.wall;
    println!("| | wall s | × floor | without start × floor | CPU s | file MB | RSS MB |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in &rows {
        println!("{}", row.markdown(floor, constant));
    }
    for way in &missing {
        println!(
            "| {} | not measured: it is not installed here |||||",
            way.name()
        );
    }
    println!(
        "\nAbout {} MB of plain SQL; medians of {} runs in turn. Start: {constant:.2} s that a backup of an empty \
         database takes longer than pg_dump of it ({:.2} s against {:.2} s): Python and Django. CPU without the \
         server's. Ours counts rows, hashes, flushes and reads back from the disk; the others do not. RSS of \
         django-migrate alone.\n{}; {machine}",
        args.size,
        args.runs,
        median(&start).wall,
        median(&nothing).wall,
        bulk.versions
    );
    drop(bulk);
    settle(&promises(&rows, floor, constant)?)
}

#[expect(clippy::print_stderr, reason = "it takes a minute, and says so")]
fn eprintln_making(size: u32) {
    eprintln!("making about {size} MB of data");
}

/// The medians of one way.
struct Row {
    way: Way,
    cost: Cost,
    file: f64,
    memory: Option<f64>,
    /// The grade that it proved, where it says one.
    grade: Option<String>,
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "sizes of a bench")]
    fn of(way: Way, taken: &[Taken]) -> Self {
        let costs: Vec<Cost> = taken.iter().map(|taken| taken.cost).collect();
        let most = taken.iter().filter_map(|taken| taken.memory).max();
        Self {
            way,
            cost: median(&costs),
            file: taken.last().map_or(0.0, |taken| taken.file as f64 / 1e6),
            memory: most.map(|bytes| bytes as f64 / 1e6),
            grade: taken.last().and_then(|taken| taken.grade.clone()),
        }
    }

    /// Wall time as it is compared.
    fn net(&self, constant: f64) -> f64 {
        if self.way.is_ours() {
            self.cost.wall - constant
        } else {
            self.cost.wall
        }
    }

    fn markdown(&self, floor: f64, constant: f64) -> String {
        let memory = self
            .memory
            .map_or_else(String::new, |memory| format!("{memory:.0}"));
        let net = if self.way.is_ours() {
            format!("{:.2}", self.net(constant) / floor)
        } else {
            String::new()
        };
        let grade = self
            .grade
            .as_ref()
            .map_or_else(String::new, |grade| format!(", proven: {grade}"));
        format!(
            "| {}{grade} | {:.2} | {:.2} | {net} | {:.2} | {:.1} | {memory} |",
            self.way.name(),
            self.cost.wall,
            self.cost.wall / floor,
            self.cost.cpu,
            self.file,
        )
    }
}

fn row(rows: &[Row], way: Way) -> Result<&Row> {
    rows.iter()
        .find(|row| row.way == way)
        .with_context(|| format!("{} was not measured", way.name()))
}

fn cost_of(rows: &[Row], way: Way) -> Result<Cost> {
    Ok(row(rows, way)?.cost)
}

fn promises(rows: &[Row], floor: f64, constant: f64) -> Result<Vec<Promise>> {
    let (ours, zstd, gzip) = (
        row(rows, Way::Ours)?,
        row(rows, Way::OursZstd)?,
        row(rows, Way::Gzip)?,
    );
    let mut promises = vec![
        Promise::at_most("backup, times the floor", ours.net(constant) / floor, FLOOR),
        Promise::at_most(
            "backup --compress zstd, times the floor",
            zstd.net(constant) / floor,
            ZSTD_FLOOR,
        ),
        Promise::at_most(
            "the backup's size, times gzip -6's",
            ours.file / gzip.file,
            1.0,
        ),
        Promise::that(
            "the backup is proven by counts",
            ours.grade.as_deref() == Some("counts"),
        ),
    ];
    for row in [ours, zstd] {
        promises.extend(row.memory.map(|memory| {
            Promise::at_most(&format!("MB of memory, {}", row.way.name()), memory, MEMORY)
        }));
    }
    Ok(promises)
}
