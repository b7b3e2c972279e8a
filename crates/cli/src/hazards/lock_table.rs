//! LOCK TABLE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Blocks};

pub(super) const HAZARD: Hazard = Hazard {
    code: "lock-table",
    title: "A table is locked by hand",
    happens: "The lock is held until the migration commits.",
    hurts: "Others wait for as long as the rest of the migration takes.",
    safer: "Leave it away: each statement takes the lock that it needs. Where order matters, take it in a short migration of its own.",
    bad: "RunSQL(\"LOCK TABLE shop_item\")",
    good: "RunSQL(\"LOCK TABLE shop_item IN SHARE UPDATE EXCLUSIVE MODE\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let locked = scene.actions().filter_map(|action| match action {
        Action::LockTable { table, mode, .. } if mode.blocks() > Blocks::Nothing => {
            Some((table, mode))
        }
        _ => None,
    });
    locked
        .map(|(table, mode)| {
            Fact::new(
                table,
                format!("{} is locked {mode} until the commit", scene.sized(table)),
                HAZARD.safer,
            )
        })
        .collect()
}
