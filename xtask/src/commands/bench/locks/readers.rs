//! Twenty clients whose transactions read the table and stay for two seconds, each at its own moment, one after the other
//! without a pause: the table is never free.
//!
//! Whoever queues at some moment waits for the youngest of them; nobody can do better than to choose that moment.

use anyhow::Result;
use xtask::load::Clients;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::queue::ADD_COLUMN;
use super::row::{Row, Run, seconds};
use super::stage::{Side, Stage};
use super::watched::Watched;

/// Plain migrate comes at any moment, a good one at times: it takes more rounds to know what it usually costs.
const ROUNDS: usize = 3;

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut guard) = (Row::new("plain"), Row::new("guard"));
    for _ in 0..runs * ROUNDS {
        plain.add(once(stage, Side::Plain)?);
        guard.add(once(stage, Side::Guard)?);
    }
    let promises = vec![
        Promise::at_most(
            "readers: blocked client-seconds, times plain's",
            guard.blocked() / plain.blocked(),
            1.0,
        ),
        Promise::at_most(
            "readers: worst stall, times plain's",
            guard.worst() / plain.worst(),
            1.0,
        ),
    ];
    Ok(Outcome {
        rows: vec![plain, guard],
        promises,
        notes: vec![format!("{} runs of each", runs * ROUNDS)],
    })
}

fn once(stage: &Stage, side: Side) -> Result<Run> {
    let site = stage.site(ADD_COLUMN)?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::long_reads())?;
    let seen = Watched::start(&site, side, &[])?.until_end()?;
    let suffered = clients.stop()?;
    seen.expect(0)?;
    Ok(Run {
        blocked: seconds(suffered.blocked()),
        worst: seconds(suffered.worst()),
        over: seen.over(),
        held: None,
        exit: seen.exit,
    })
}
