//! Twenty clients whose transactions read the table and stay for two seconds, each at its own moment, one after the other
//! without a pause: the table is never free.
//!
//! Whoever queues at some moment waits for the youngest of them; nobody can do better than to choose that moment.

use std::time::Duration;

use anyhow::Result;
use xtask::load::Clients;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::queue::ADD_COLUMN;
use super::row::{Row, Run, seconds};
use super::stage::{Side, Stage};
use super::watched::Watched;

/// A deploy comes at any moment, a good one at times: the rounds begin at moments that are spread over a reader's life.
const ROUNDS: usize = 3;
const LIFE: Duration = Duration::from_secs(2);

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut guard) = (Row::new("plain"), Row::new("guard"));
    let rounds = u32::try_from(runs * ROUNDS)?;
    for round in 0..rounds {
        let moment = LIFE * round / rounds;
        plain.add(once(stage, Side::Plain, moment)?);
        guard.add(once(stage, Side::Guard, moment)?);
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
        notes: vec![format!(
            "{rounds} runs of each, from moments spread over a reader's life"
        )],
    })
}

fn once(stage: &Stage, side: Side, moment: Duration) -> Result<Run> {
    let site = stage.site(ADD_COLUMN)?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::long_reads())?;
    std::thread::sleep(moment);
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
