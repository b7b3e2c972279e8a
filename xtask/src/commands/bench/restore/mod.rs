//! `bench restore`: `django-migrate restore` against `gunzip -c | psql -1` and `pg_restore -j2`, of the same data, each
//! into a new database, in turn; and `backup verify` against `gzip -t` on the same file.
//!
//! Nobody runs ANALYZE. Ours connects by `--dsn`, so that no Python starts. Absent here: what the restored holds beyond
//! a count of its rows, which the tests compare byte for byte.

mod way;

use anyhow::{Context as _, Result, ensure};

use self::way::{Archives, Taken, Way};
use super::bulk::Bulk;
use super::measure::{Cost, median};
use super::{Program, Promise, machine, settle};

/// `django-migrate restore` against psql and pg_restore; `backup verify` against `gzip -t`
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

const MEMORY: f64 = 64.0;

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    ensure!(args.size > 0, "--size 0 is nothing to restore");
    let machine = machine::facts();
    let program = args.program.get()?;
    let bulk = Bulk::new(program, args.postgres, args.size)?;
    let archives = Archives::new(&bulk)?;
    let mut taken: Vec<(Way, Vec<Taken>)> = Way::ALL.map(|way| (way, Vec::new())).into();
    for _ in 0..args.runs {
        for (way, taken) in &mut taken {
            taken.push(way.take(&bulk, &archives)?);
        }
    }
    let rows: Vec<Row> = taken
        .iter()
        .map(|(way, taken)| Row::of(*way, taken))
        .collect();
    println!("| | wall s | CPU s | RSS MB |\n|---|---:|---:|---:|");
    for row in &rows {
        println!("{}", row.markdown());
    }
    println!(
        "\n{} MB of plain SQL in {} MB of gzip; medians of {} runs in turn, each into a new database, without ANALYZE. CPU \
         without the server's. RSS of django-migrate alone.\n{}; {machine}",
        archives.plain / 1_000_000,
        archives.packed / 1_000_000,
        args.runs,
        bulk.versions
    );
    drop(bulk);
    settle(&promises(&rows)?)
}

/// The medians of one way.
struct Row {
    way: Way,
    cost: Cost,
    memory: Option<f64>,
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "sizes of a bench")]
    fn of(way: Way, taken: &[Taken]) -> Self {
        let costs: Vec<Cost> = taken.iter().map(|taken| taken.cost).collect();
        let most = taken.iter().filter_map(|taken| taken.memory).max();
        Self {
            way,
            cost: median(&costs),
            memory: most.map(|bytes| bytes as f64 / 1e6),
        }
    }

    fn markdown(&self) -> String {
        let memory = self
            .memory
            .map_or_else(String::new, |memory| format!("{memory:.0}"));
        format!(
            "| {} | {:.2} | {:.2} | {memory} |",
            self.way.name(),
            self.cost.wall,
            self.cost.cpu
        )
    }
}

fn promises(rows: &[Row]) -> Result<Vec<Promise>> {
    let wall = |way: Way| {
        rows.iter()
            .find(|row| row.way == way)
            .map(|row| row.cost.wall)
            .with_context(|| format!("{} was not measured", way.name()))
    };
    let against = |what: &str, ours: Way, theirs: Way, most: f64| -> Result<Promise> {
        Ok(Promise::at_most(what, wall(ours)? / wall(theirs)?, most))
    };
    let mut promises = vec![
        against(
            "restore on two sessions, times psql -1",
            Way::TwoSessions,
            Way::Psql,
            0.7,
        )?,
        against(
            "restore in one transaction, times psql -1",
            Way::OneTransaction,
            Way::Psql,
            0.85,
        )?,
        against(
            "restore on two sessions, times pg_restore -j2",
            Way::TwoSessions,
            Way::PgRestore,
            1.05,
        )?,
        against(
            "backup verify, times gzip -t",
            Way::Verify,
            Way::GzipTest,
            1.0,
        )?,
    ];
    for row in rows {
        promises.extend(row.memory.map(|memory| {
            Promise::at_most(&format!("MB of memory, {}", row.way.name()), memory, MEMORY)
        }));
    }
    Ok(promises)
}
