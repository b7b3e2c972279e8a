//! DETACH PARTITION without CONCURRENTLY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Method};

pub(super) const HAZARD: Hazard = Hazard {
    code: "detach-partition",
    title: "A partition is detached without CONCURRENTLY",
    happens: "The parent, the partition and the default partition are locked ACCESS EXCLUSIVE. Nothing is read, so it is brief, but it waits for every query on the parent to end, and new ones wait behind it.",
    hurts: "Everybody waits for the whole partitioned table until the migration commits.",
    safer: "ALTER TABLE … DETACH PARTITION … CONCURRENTLY in a migration with atomic = False; where there is a default partition, which it refuses, a migration of its own.",
    bad: "RunSQL(\"ALTER TABLE log DETACH PARTITION log_01\"), RunPython(archive)",
    good: "RunSQL(\"ALTER TABLE log DETACH PARTITION log_01 CONCURRENTLY\"), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let detached = scene.changes().filter_map(|(table, change)| match change {
        Change::DetachPartition {
            partition,
            method: Method::Plain,
        } => Some((table, partition)),
        _ => None,
    });
    detached
        .map(|(table, partition)| {
            let message = format!(
                "detaching {partition} locks {} for everybody until the commit",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
