//! The table is held for longer than the guard may wait: it gives up and names who is in the way, and in the meantime
//! nobody stands behind it.
//!
//! Plain migrate would wait for ever: its holder leaves after the guard's time.

use std::time::{Duration, Instant};

use anyhow::Result;
use xtask::load::Clients;

use super::super::Promise;
use super::Outcome;
use super::clients::{self, COUNT};
use super::holder::{self, Holder};
use super::queue::ADD_COLUMN;
use super::row::{Row, Run, seconds};
use super::stage::{Side, Stage};
use super::watched::{Seen, Watched};

const MAX_WAIT: Duration = Duration::from_secs(3);

pub(super) fn play(stage: &Stage, runs: usize) -> Result<Outcome> {
    let (mut plain, mut guard) = (Row::new("plain"), Row::new("guard --max-wait 3s"));
    let (mut named, mut unchanged, mut queued) = (true, true, 0);
    for _ in 0..runs {
        plain.add(once(stage, Side::Plain)?.0);
        let (run, seen, same) = once(stage, Side::Guard)?;
        named &= seen.finished()["error"].to_string().contains(holder::NAME);
        unchanged &= same && seen.finished()["changed"] == *"no";
        queued += seen.queued;
        guard.add(run);
    }
    let promises = vec![
        Promise::that("forever: every run ends with 53", guard.all(53)),
        Promise::that("forever: whoever is in the way is named", named),
        Promise::that("forever: nothing is changed, and it says so", unchanged),
        Promise::that("forever: it never stands in the queue", queued == 0),
        Promise::at_most("forever: worst stall, s", guard.worst(), 0.2),
    ];
    Ok(Outcome {
        rows: vec![plain, guard],
        promises,
        notes: Vec::new(),
    })
}

fn once(stage: &Stage, side: Side) -> Result<(Run, Seen, bool)> {
    let site = stage.site(ADD_COLUMN)?;
    let before = site.state()?;
    let clients = Clients::start(&site.database.dsn(), COUNT, clients::short_reads())?;
    let holder = Holder::start(&site.database)?;
    let mut watched = Watched::start(&site, side, &["--max-wait", "3s"])?;
    let due = watched.until_due()?;
    if side == Side::Plain {
        holder.leave_at(due + MAX_WAIT)?;
    }
    let seen = watched.until_end()?;
    let suffered = clients.stop()?;
    let same = site.state()? == before;
    let held = match side {
        Side::Plain => Some(seconds(holder.gone()? - due)),
        Side::Guard => {
            holder.leave_at(Instant::now())?;
            holder.gone()?;
            None
        }
    };
    let run = Run {
        blocked: seconds(suffered.blocked()),
        worst: seconds(suffered.worst()),
        over: seen.over(),
        held,
        exit: seen.exit,
    };
    Ok((run, seen, same))
}
