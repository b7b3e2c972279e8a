//! An ordinary autovacuum is at work on the table for longer than anybody would wait. It leaves when somebody has waited
//! behind it for deadlock_timeout, and not before.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::load::Clients;
use xtask::servers::Database;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::queue::ADD_COLUMN;
use super::row::{Row, Run, seconds};
use super::stage::{Side, Stage};
use super::watched::Watched;

const ROWS: &str = "INSERT INTO shop_item (title, stock) SELECT 'Item ' || n, n % 100 FROM generate_series(1, 50000) n";
/// Every page costs it 0.4 s.
const DIRTY: &str = "ALTER TABLE shop_item SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, \
                     autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1); \
                     UPDATE shop_item SET stock = stock + 1";
const AT_WORK: &str = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                       WHERE l.relation = 'shop_item'::regclass AND l.granted AND a.backend_type = 'autovacuum worker'";
const PATIENCE: Duration = Duration::from_secs(60);
/// What tools without a gate set for every migration.
const SHORT: &str = "-c lock_timeout=500ms";

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut short) = (Row::new("plain"), Row::new("plain, lock_timeout 500 ms"));
    let mut guard = Row::new("guard");
    for _ in 0..runs {
        plain.add(once(stage, Side::Plain, &[])?);
        short.add(once(stage, Side::Plain, &[("PGOPTIONS", SHORT)])?);
        guard.add(once(stage, Side::Guard, &[])?);
    }
    let promises = vec![
        Promise::that(
            "autovacuum: the guard gets through in every run",
            guard.all(0),
        ),
        Promise::that("autovacuum: a short lock_timeout does not", short.all(1)),
    ];
    Ok(Outcome {
        rows: vec![plain, short, guard],
        promises,
        notes: Vec::new(),
    })
}

fn once(stage: &Stage, side: Side, environment: &[(&str, &str)]) -> Result<Run> {
    let site = stage.site_with("vacuum", |database| database.execute(ROWS), ADD_COLUMN)?;
    wait_for_autovacuum(&site.database)?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::short_reads())?;
    let mut watched = Watched::start_in(&site, side, &[], environment)?;
    watched.until_due()?;
    let in_the_way = site.database.scalar(AT_WORK)?;
    let seen = watched.until_end()?;
    let suffered = clients.stop()?;
    ensure!(
        in_the_way == "1" || seen.exit != 0,
        "the autovacuum was over before the statement was due"
    );
    Ok(Run {
        blocked: seconds(suffered.blocked()),
        worst: seconds(suffered.worst()),
        over: seen.over(),
        held: None,
        exit: seen.exit,
    })
}

fn wait_for_autovacuum(database: &Database) -> Result<()> {
    database.execute(DIRTY)?;
    let begun = Instant::now();
    while database.scalar(AT_WORK)? == "0" {
        ensure!(
            begun.elapsed() < PATIENCE,
            "no autovacuum within {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
