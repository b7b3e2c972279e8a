//! `bench locks`: what a site suffers while a migration runs, guard against plain `migrate`, on equal fresh databases
//! with the same twenty clients.
//!
//! One scenario a file; each gives rows for the table and the promises that it makes. Absent here: how a lock is waited
//! for, which is the product's.

mod clients;
mod forever;
mod holder;
mod observer;
mod queue;
mod readers;
mod rewrite;
mod row;
mod stage;
mod vacuum;
mod watched;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use self::row::Row;
use self::stage::Stage;
use super::{Program, Promise, machine, settle};

/// `django-migrate run --apply` against `manage.py migrate` on a table that others use
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_enum, value_name = "NAME")]
    only: Vec<Scenario>,
    /// Runs of each; the medians count
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The server's major version
    #[arg(long, default_value_t = 17, value_name = "MAJOR")]
    postgres: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// One transaction holds the table for 8 s, clients read it all the time
    Queue,
    /// Twenty clients whose reads take 2 s each and overlap
    Readers,
    /// A big table is rewritten with `--max-blocking 1s`
    Rewrite,
    /// An ordinary autovacuum is at work on the table
    Autovacuum,
    /// The table is held for longer than `--max-wait 3s`
    Forever,
    /// What the run's own looks cost a server with a thousand sessions
    Observer,
}

/// What a scenario came to.
struct Outcome {
    rows: Vec<Row>,
    promises: Vec<Promise>,
    /// What a reader of the table needs besides.
    notes: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    let machine = machine::facts();
    let stage = Stage::new(args.program.get()?, args.postgres)?;
    println!("{}", Row::HEAD);
    let (mut promises, mut notes) = (Vec::new(), Vec::new());
    for scenario in chosen(&args.only) {
        let name = scenario.to_possible_value();
        let name = name.map(|name| name.get_name().to_owned());
        let name = name.context("a name")?;
        let outcome = scenario
            .play(&stage, args.runs)
            .with_context(|| format!("scenario {name}"))?;
        for row in &outcome.rows {
            println!("{}", row.markdown(&name));
        }
        notes.extend(
            outcome
                .notes
                .into_iter()
                .map(|note| format!("{name}: {note}")),
        );
        promises.extend(outcome.promises);
    }
    println!(
        "\nMedians of {} runs in turn, in brackets the worst of them. Blocked: the sum over {} clients of what each answer \
         took beyond {} ms. Stall: the latest answer. Gone and over count from when the statement was due: when plain migrate \
         stands in the queue, when the guard announces the migration; over is when it was recorded, or else when the \
         command ended.\n{}; {machine}",
        args.runs,
        clients::COUNT,
        xtask::load::USUAL.as_millis(),
        stage.versions
    );
    for note in &notes {
        println!("{note}");
    }
    settle(&promises)
}

fn chosen(only: &[Scenario]) -> Vec<Scenario> {
    match only {
        [] => Scenario::value_variants().to_vec(),
        only => only.to_vec(),
    }
}

impl Scenario {
    fn play(self, stage: &Stage, runs: usize) -> Result<Outcome> {
        match self {
            Self::Queue => queue::play(stage, runs),
            Self::Readers => readers::play(stage, runs),
            Self::Rewrite => rewrite::play(stage, runs),
            Self::Autovacuum => vacuum::play(stage, runs),
            Self::Forever => forever::play(stage, runs),
            Self::Observer => observer::play(stage),
        }
    }
}
