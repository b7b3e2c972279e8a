//! One transaction holds the table while twenty clients read it all the time, and a migration wants to add a column.
//!
//! The holder has read the table before the command starts, and commits seven seconds after the statement was due: with
//! the second that plain migrate takes to come so far, that is eight.

use std::time::Duration;

use anyhow::Result;
use xtask::load::Clients;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::holder::Holder;
use super::row::{Row, Run, seconds};
use super::stage::{Side, Stage};
use super::watched::Watched;

pub(super) const ADD_COLUMN: &str =
    "migrations.AddField('item', 'colour', models.CharField(max_length=20, null=True))";
const HELD: Duration = Duration::from_secs(7);
/// How long the clients go on after the command.
const AFTER: Duration = Duration::from_millis(500);

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut guard) = (Row::new("plain"), Row::new("guard"));
    for _ in 0..runs {
        plain.add(once(stage, Side::Plain)?);
        guard.add(once(stage, Side::Guard)?);
    }
    let share = 100.0 * guard.blocked() / plain.blocked();
    let promises = vec![
        Promise::at_most("queue: blocked client-seconds, % of plain's", share, 1.0),
        Promise::at_most("queue: worst stall, s", guard.worst(), 0.2),
        Promise::at_most(
            "queue: done, times the holder's time",
            guard.times_held().unwrap_or(f64::INFINITY),
            1.1,
        ),
    ];
    Ok(Outcome {
        rows: vec![plain, guard],
        promises,
        notes: Vec::new(),
    })
}

fn once(stage: &Stage, side: Side) -> Result<Run> {
    let site = stage.site(ADD_COLUMN)?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::short_reads())?;
    let holder = Holder::start(&site.database)?;
    let mut watched = Watched::start(&site, side, &[])?;
    let due = watched.until_due()?;
    holder.leave_at(due + HELD)?;
    let seen = watched.until_end()?;
    std::thread::sleep(AFTER);
    let suffered = clients.stop()?;
    let gone = holder.gone()?;
    seen.expect(0)?;
    Ok(Run {
        blocked: seconds(suffered.blocked()),
        worst: seconds(suffered.worst()),
        over: seen.over(),
        held: Some(seconds(gone - due)),
        exit: seen.exit,
    })
}
