//! A big table is rewritten under ACCESS EXCLUSIVE while twenty clients read it: plain migrate keeps them waiting to the
//! end, the guard lets go after `--max-blocking 1s`.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::load::Clients;
use xtask::servers::Database;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::row::{Row, Run, seconds};
use super::stage::{Side, Site, Stage};
use super::watched::{Seen, Watched};

/// `int` to `bigint`.
const WIDEN: &str = "migrations.AlterField('item', 'stock', models.BigIntegerField(default=0))";
const REWRITE: &str = "BEGIN; ALTER TABLE shop_item ALTER COLUMN stock TYPE bigint; ROLLBACK";
/// How long the rewrite shall take here, with nobody else at work.
const WANTED: Duration = Duration::from_secs(5);
const FIRST: u64 = 400_000;
const MOST: u64 = 20_000_000;
const AFTER: Duration = Duration::from_millis(500);

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut guard) = (Row::new("plain"), Row::new("guard --max-blocking 1s"));
    let mut whole = true;
    for _ in 0..runs {
        plain.add(once(stage, Side::Plain, 0)?.run);
        let once = once(stage, Side::Guard, 53)?;
        whole &= once.nothing_stayed;
        guard.add(once.run);
    }
    let rows = stage
        .site_with("big", fill, WIDEN)?
        .database
        .scalar("SELECT count(*) FROM shop_item")?;
    let promises = vec![
        Promise::at_most(
            "rewrite: let go, s after the first client was blocked",
            guard.worst(),
            1.5,
        ),
        Promise::that(
            "rewrite: every run ends with 53, `changed` no",
            guard.all(53),
        ),
        Promise::that(
            "rewrite: schema, history and the table's file are as before",
            whole,
        ),
        Promise::that(
            "rewrite: plain keeps them waiting for longer",
            plain.worst() > guard.worst(),
        ),
    ];
    Ok(Outcome {
        rows: vec![plain, guard],
        promises,
        notes: vec![format!("the table has {rows} rows")],
    })
}

struct Once {
    run: Run,
    nothing_stayed: bool,
}

fn once(stage: &Stage, side: Side, exit: i32) -> Result<Once> {
    let site = stage.site_with("big", fill, WIDEN)?;
    let before = site.state()?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::short_reads())?;
    let seen = Watched::start(&site, side, &["--max-blocking", "1s"])?.until_end()?;
    std::thread::sleep(AFTER);
    let suffered = clients.stop()?;
    seen.expect(exit)?;
    ensure!(
        suffered.from(seen.ended).unserved() == 0,
        "not every client was served afterwards"
    );
    Ok(Once {
        run: Run {
            blocked: seconds(suffered.blocked()),
            worst: seconds(suffered.worst()),
            over: seen.over(),
            held: None,
            exit: seen.exit,
        },
        nothing_stayed: side == Side::Plain || untouched(&seen, &site, &before)?,
    })
}

fn untouched(seen: &Seen, site: &Site, before: &str) -> Result<bool> {
    let said = seen.finished()["changed"] == *"no";
    Ok(said && site.state()? == *before)
}

/// So many rows that a rewrite takes as long as wanted on this machine.
fn fill(database: &Database) -> Result<()> {
    let add = |rows: u64| {
        database.execute(&format!(
            "INSERT INTO shop_item (title, stock) SELECT 'Item ' || n, n % 100 FROM generate_series(1, {rows}) n"
        ))
    };
    add(FIRST)?;
    database.execute("VACUUM shop_item")?;
    let begun = Instant::now();
    database.execute(REWRITE)?;
    let share = WANTED.as_secs_f64() / begun.elapsed().as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rows between the two"
    )]
    let rows = (FIRST as f64 * share).clamp(FIRST as f64, MOST as f64) as u64;
    add(rows - FIRST)
}
