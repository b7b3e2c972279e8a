//! ATTACH PARTITION and DETACH PARTITION.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Method};

pub(super) const HAZARD: Hazard = Hazard {
    code: "attach-partition",
    title: "A partition is attached or detached",
    happens: "ATTACH reads the whole partition under ACCESS EXCLUSIVE unless a valid CHECK proves its bounds, and builds indexes that it lacks. DETACH without CONCURRENTLY takes ACCESS EXCLUSIVE on the parent.",
    hurts: "Nobody can read the locked tables meanwhile.",
    safer: "Add a CHECK with the bounds NOT VALID and validate it before; build the indexes before; DETACH PARTITION … CONCURRENTLY in a migration with atomic = False.",
    bad: "RunSQL(\"ALTER TABLE log ATTACH PARTITION log_05 FOR VALUES …\")",
    good: "RunSQL(\"ALTER TABLE log_05 ADD CONSTRAINT bounds CHECK (…) NOT VALID\"), VALIDATE, then ATTACH",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let facts = scene.changes().filter_map(|(table, change)| match change {
        Change::AttachPartition { partition, .. } if !scene.is_new(partition) => {
            let sized = scene.sized(partition);
            let message = format!("attaching {sized} reads all of it while nobody else can, unless a valid CHECK proves its bounds");
            Some(Fact::new(partition, message, HAZARD.safer))
        }
        Change::DetachPartition { partition, method: Method::Plain } => {
            let message = format!("detaching {partition} locks {} for everybody until the commit", scene.sized(table));
            Some(Fact::new(table, message, HAZARD.safer))
        }
        _ => None,
    });
    facts.collect()
}
